//! The OpenAPI document: collected from the very routes that are served, so that neither can be
//! forgotten when the other changes.

use std::sync::LazyLock;

use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, Required, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::envelope::{Failure, json};

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Longhaul",
        description = "Accepts events, delivers them to endpoints, and tells what became of them.\n\n\
            Send an API key of the project as `Authorization: Bearer LH...`. Bodies are JSON. Every answer is an \
            envelope `{status, message, data}`; a refusal is `{status: false, message}` and its message names the \
            refused fields. Every answer carries `X-Request-ID`."
    ),
    components(schemas(Failure)),
    security(("apiKey" = [])),
    tags(
        (name = "Events", description = "Send events, find them, replay them."),
        (name = "Event Deliveries", description = "What became of an event at each endpoint; resend."),
        (name = "Delivery Attempts", description = "Every request made, with its answer."),
        (name = "Batches", description = "Progress of retries and replays of many."),
        (name = "Endpoints", description = "Where deliveries go."),
        (name = "Subscriptions", description = "Which events go to which endpoint."),
        (name = "Filters", description = "Conditions of a subscription, one set per event type."),
        (name = "Event Types", description = "The names that events go by."),
        (name = "Projects", description = "The room in which everything else lives."),
        (name = "Erasure", description = "Removing values of persons from everything that is kept, with a receipt."),
        (name = "Retention", description = "How long events are kept, what is on hold, where copies lie."),
        (name = "API Keys", description = "Credentials of a project."),
    )
)]
struct Base;

/// Refusals that every operation can answer with.
const REFUSALS: [(&str, &str); 7] = [
    ("400", "A field is refused; the message names it."),
    ("401", "No credential, or one that is not good."),
    (
        "403",
        "The credential is not for this project, or its role does not allow this.",
    ),
    ("404", "No such thing."),
    ("429", "Too many calls; see `Retry-After`."),
    ("503", "A store is away; see `Retry-After`."),
    ("504", "The query took too long."),
];

/// Refusals of operations that take a body.
const BODY_REFUSALS: [(&str, &str); 2] = [
    ("413", "The body is too long."),
    ("415", "The body is not declared as `application/json`."),
];

/// An empty router with the frame of the document.
pub fn router<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// Adds routes so that they are served and documented.
pub trait Mount<S> {
    /// Serves `routes` under their path, with and without a slash at its end.
    #[must_use]
    fn mount(self, routes: UtoipaMethodRouter<S>) -> Self;
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for OpenApiRouter<S> {
    fn mount(self, (schemas, paths, methods): UtoipaMethodRouter<S>) -> Self {
        let slashed: Vec<String> = paths.paths.keys().map(|path| format!("{path}/")).collect();
        let plain = self.routes((schemas, paths, methods.clone()));
        slashed
            .into_iter()
            .fold(plain, |router, path| router.route(&path, methods.clone()))
    }
}

/// Takes router and document apart, and completes the document.
pub fn split<S: Clone + Send + Sync + 'static>(
    router: OpenApiRouter<S>,
) -> (Router<S>, utoipa::openapi::OpenApi) {
    let (router, mut document) = router.split_for_parts();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components
        .security_schemes
        .insert("apiKey".to_owned(), RefOr::T(bearer));
    for (status, description) in REFUSALS.into_iter().chain(BODY_REFUSALS) {
        let schema = Ref::from_schema_name("Failure");
        let response = ResponseBuilder::new()
            .description(description)
            .content(
                "application/json",
                ContentBuilder::new().schema(Some(schema)).build(),
            )
            .build();
        components
            .responses
            .insert(format!("Refusal{status}"), RefOr::T(response));
    }
    for (path, item) in &mut document.paths.paths {
        item.parameters = Some(path_parameters(path)).filter(|parameters| !parameters.is_empty());
        operations_mut(item).for_each(complete);
    }
    (router, document)
}

/// Says what an operation answers besides its own.
fn complete(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            "Done.".clone_into(&mut response.description);
        }
    }
    let takes_body = operation.request_body.is_some();
    for (status, _) in REFUSALS
        .into_iter()
        .chain(BODY_REFUSALS.into_iter().filter(|_| takes_body))
    {
        let refusal = RefOr::Ref(Ref::from_response_name(format!("Refusal{status}")));
        responses.entry(status.to_owned()).or_insert(refusal);
    }
}

/// The places of a path that callers fill.
fn path_parameters(path: &str) -> Vec<RefOr<Parameter>> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let format = (name != "eventType").then_some(SchemaFormat::KnownFormat(KnownFormat::Uuid));
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .format(format)
                        .build(),
                ))
                .build();
            RefOr::T(parameter)
        })
        .collect()
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete]
        .into_iter()
        .flatten()
}

/// The document of the routes of this build, as JSON text. Written once.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    let (_, document) = split(crate::routes());
    // A document made of plain data always serialises.
    Bytes::from(serde_json::to_vec(&document).unwrap_or_default())
});

/// The document as JSON text.
pub fn text() -> Bytes {
    TEXT.clone()
}

/// Answers with the document.
pub async fn serve() -> Response {
    json(StatusCode::OK, text())
}
