//! HTTP to domain calls and back: the only place that knows HTTP. The whole surface is [`router`].

mod branches;
mod commits;
mod directories;
mod error;
mod extract;
mod files;
mod git;
mod invocations;
mod invoke;
mod middleware;
mod numbered_page;
mod ops;
mod page;
mod ranges;
mod repository_path;
mod scaffold;
mod sign_in;
mod tools;
mod versions;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::app::App;

/// Every route of the service.
pub fn router(app: Arc<App>) -> Router {
    // What Git's clients call. They compress what they send.
    let git = Router::new()
        .route("/tool/git/{*git_path}", get(git::get).post(git::post))
        .layer(RequestDecompressionLayer::new());

    // What conversations, simulations and authors' programs call.
    let organization = Router::new()
        .route("/user/signin_with_api_key", post(sign_in::create))
        .route("/tool/", post(tools::create).get(tools::list))
        .route("/tool", post(tools::create).get(tools::list))
        .route("/tool/{tool_id}/envvar", post(tools::change_variables))
        .route("/tool/{tool_id}/version", post(versions::publish).get(versions::list))
        .route("/tool/{tool_id}/version/{version}", delete(versions::deprecate))
        .route("/tool/{tool_id}/version/{version}/invoke", post(invoke::invoke))
        .route("/tool/invocation", get(invocations::list))
        .route("/tool/invocation/search", get(invocations::search))
        .route("/tool/invocation/{invocation_id}", get(invocations::get))
        .route("/tool/amigo_tool_scaffold.tar.gz", get(scaffold::get))
        .route("/tool/repo/branch", get(branches::list))
        .route("/tool/repo/branch/{*branch_name}", get(branches::get))
        .route("/tool/repo/commit", get(commits::list))
        .route("/tool/repo/directory", get(directories::list))
        .route("/tool/repo/directory/", get(directories::list))
        .route("/tool/repo/directory/{*directory_path}", get(directories::list))
        .route("/tool/repo/file", get(files::read))
        .route("/tool/repo/file/{*file_path}", get(files::download))
        .merge(git);

    // What operators call.
    let operations = Router::new()
        .route("/metrics", get(ops::metrics))
        .route("/healthz", get(ops::health))
        .route("/readyz", get(ops::ready));

    Router::new()
        .nest("/v1/{organization}", organization)
        .merge(operations)
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), middleware::measure))
        .with_state(app)
}

pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    // An answer is a few hundred bytes, and a caller waits for it: it must not wait for more to send along.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "Could not turn off delayed sending");
        }
    });
    let timeout = app.config.shutdown_timeout();
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let signal = async move {
        shutdown.await;
        tracing::info!("Shutting down: no new connections are accepted");
        stopping.send_replace(true);
    };
    let server = axum::serve(listener, router(app)).with_graceful_shutdown(signal);
    let patience = async move {
        // The sender lives as long as the server, so this ends when the shutdown begins.
        if stopped.wait_for(|stopping| *stopping).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(timeout).await;
    };
    tokio::select! {
        served = server.into_future() => served?,
        () = patience => tracing::warn!("Requests in flight did not end in time and were dropped"),
    }
    Ok(())
}
