//! What load does to the real program, in a process of its own.
//!
//! `cargo bench --workspace --bench load --profile release -- overload`: ten times what it can do, 10,000 idle connections and
//! slow clients.
//! `cargo bench --workspace --bench load --profile release -- soak [MINUTES]`: mixed work for a while, and a plot of it in
//! `docs/soak.svg`.

mod client;
mod overload;
mod plot;
mod server;
mod soak;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    // The library asks for one even where nothing speaks TLS. It fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            println!("say which: `-- overload` or `-- soak [MINUTES]`");
            Ok(())
        }
        ["overload"] => executor.block_on(overload::measure()),
        ["soak"] => executor.block_on(soak::measure(3.0)),
        ["soak", minutes] => executor.block_on(soak::measure(minutes.parse()?)),
        _ => bail!("say `overload` or `soak [MINUTES]`"),
    }
}
