//! HTTP to domain calls and back: the only place that knows HTTP. The whole surface is [`router`].

mod api_keys;
mod branches;
mod commits;
mod connections;
pub mod control;
mod directories;
mod error;
mod extract;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod git;
mod idempotency;
mod invocations;
mod invoke;
mod json;
mod listener;
mod middleware;
mod numbered_page;
mod openapi;
mod ops;
mod page;
mod parameters;
mod publish_events;
mod ranges;
mod repository_path;
mod roles;
mod scaffold;
mod sign_in;
#[cfg(test)]
mod tests;
mod tls;
mod tool_test;
mod tools;
mod trace;
mod users;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) use connections::{serve, serve_starting};
pub use listener::Listener;
pub use tls::Tls;

/// Every route of the service. Methods and paths stand beside the handlers, where the document has them from: what is
/// not in the document is not served.
fn routes() -> OpenApiRouter<Arc<App>> {
    // What Git's clients call. They compress what they send.
    // What is compressed in another way the handler refuses, with a reason.
    let decompression = RequestDecompressionLayer::new().pass_through_unaccepted(true);
    let git = OpenApiRouter::new().routes(routes!(git::get, git::post)).layer(decompression);

    // What administrators of an organization call.
    let access = OpenApiRouter::new()
        .routes(routes!(users::create, users::list))
        .routes(routes!(users::get, users::update, users::delete))
        .routes(routes!(roles::create, roles::list))
        .routes(routes!(roles::get, roles::replace, roles::delete))
        .routes(routes!(api_keys::create, api_keys::list))
        .routes(routes!(api_keys::delete));

    // What shows the repository to those who are not Git.
    let repository = OpenApiRouter::new()
        .routes(routes!(scaffold::get))
        .routes(routes!(branches::list))
        .routes(routes!(branches::get))
        .routes(routes!(commits::list))
        .routes(routes!(directories::list_root))
        .routes(routes!(directories::list))
        .routes(routes!(files::read))
        .routes(routes!(files::download));

    // What conversations, simulations and authors' programs call.
    let organization = OpenApiRouter::new()
        .routes(routes!(sign_in::create))
        .routes(routes!(tools::create, tools::list))
        .routes(routes!(tool_test::run))
        .routes(routes!(tools::change, tools::delete))
        .routes(routes!(tools::change_variables))
        .routes(routes!(versions::publish, versions::list))
        .routes(routes!(versions::deprecate))
        .routes(routes!(invoke::invoke))
        .routes(routes!(invocations::list))
        .routes(routes!(invocations::search))
        .routes(routes!(invocations::get))
        .merge(git)
        .merge(repository)
        .merge(access)
        .merge(other_slashes());

    // What operators call.
    let operations = OpenApiRouter::new()
        .routes(routes!(ops::metrics))
        .routes(routes!(ops::health))
        .routes(routes!(ops::ready))
        .routes(routes!(openapi::get));

    OpenApiRouter::with_openapi(openapi::Contract::openapi()).merge(organization).merge(operations)
}

/// The same as some of the paths above, with the other opinion of the slash at the end. They are not in the document.
fn other_slashes() -> OpenApiRouter<Arc<App>> {
    let aliases = Router::new()
        .route("/tool", post(tools::create).get(tools::list))
        .route("/tool/{tool_id}/", post(tools::change).delete(tools::delete))
        .route("/tool/repo/directory", get(directories::list_root))
        .route("/user", post(users::create).get(users::list))
        .route("/role", post(roles::create).get(roles::list))
        .route("/organization/api_key", post(api_keys::create).get(api_keys::list))
        .route("/organization/api_key/{api_key_id}", delete(api_keys::delete));
    Router::new().nest("/v1/{organization}", aliases).into()
}

/// The contract as a document, made from the routes.
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::complete(routes().into_openapi())
}

/// What is served before there is a service: that it is starting.
fn starting_router() -> Router {
    Router::new()
        .route("/healthz", get(ops::health))
        .fallback(error::starting)
        .layer(axum::middleware::from_fn(git::explain))
}

/// The service.
pub fn router(app: Arc<App>) -> Router {
    Router::from(routes())
        .merge(openapi::page())
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), gate::pass))
        // The gate's refusals are for Git's users, too.
        .layer(axum::middleware::from_fn(git::explain))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), middleware::measure))
        .with_state(app)
}
