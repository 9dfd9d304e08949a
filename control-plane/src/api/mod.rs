//! HTTP to domain calls and back: the only place that knows HTTP. The whole surface is [`router`].

mod connections;
mod error;
mod extract;
mod gate;
mod git;
mod idempotency;
mod invocations;
mod invoke;
mod json;
mod middleware;
mod ops;
mod page;
mod sign_in;
mod tools;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::app::App;

pub(crate) use connections::serve;

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
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), gate::pass))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), middleware::measure))
        .with_state(app)
}
