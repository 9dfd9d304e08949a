//! The service in this process, while it listens.

use std::sync::Arc;

use anyhow::{Result, ensure};
use control_plane::app::App;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The service while it listens.
pub struct Service {
    /// Where it listens.
    pub address: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<()>>,
}

impl Service {
    /// Starts it on a port that the system chooses.
    pub async fn start(app: Arc<App>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(async move { control_plane::serve(app, listener, stopped).await });
        Ok(Self { address, stop, serving })
    }

    /// Stops it, once all that it has confirmed is durable.
    pub async fn stop(self) -> Result<()> {
        ensure!(self.stop.send(()).is_ok(), "the service stopped by itself");
        self.serving.await?
    }
}
