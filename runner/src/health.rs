//! `/livez`, `/readyz` and `/metrics` over HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::limits::{HEALTH_TIMEOUT, MAX_HEALTH_CONNECTIONS};
use crate::metrics::Metrics;

/// Answers until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, is_stopping: Arc<AtomicBool>) {
    let room = Arc::new(Semaphore::new(MAX_HEALTH_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a health check can't be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let (metrics, is_stopping) = (metrics.clone(), is_stopping.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &metrics, is_stopping.load(Ordering::Relaxed));
                async { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEALTH_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Who asks and goes away, or never asks, is no concern of ours.
            let _ = tokio::time::timeout(HEALTH_TIMEOUT, connection).await;
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics, is_stopping: bool) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => (StatusCode::OK, "ok\n".into()),
        (&Method::GET, "/readyz") if is_stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".into()),
        (&Method::GET, "/readyz") => (StatusCode::OK, "ok\n".into()),
        (&Method::GET, "/metrics") => (StatusCode::OK, metrics.render()),
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "/livez, /readyz and /metrics are here\n".into()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into()),
    };
    let content_type = match request.uri().path() {
        "/metrics" => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
