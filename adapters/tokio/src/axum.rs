//! A WebSocket as a route of an axum 0.8 application, over HTTP/1.1 and HTTP/2.
//!
//! [`WebSocketUpgrade`] is an extractor like `axum::extract::ws::WebSocketUpgrade`. The connection is a [`WebSocket`]
//! of this crate. It has deadlines, and is cancel-safe.
//!
//! # Example
//!
//! ```
//! use axum::Router;
//! use axum::response::Response;
//! use axum::routing::any;
//! use sockless_tokio::axum::{Upgraded, WebSocketUpgrade};
//! use sockless_tokio::{Error, WebSocket};
//!
//! async fn handler(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.on_upgrade(|websocket| async {
//!         if let Err(error) = echo(websocket).await {
//!             eprintln!("{error}");
//!         }
//!     })
//! }
//!
//! async fn echo(mut websocket: WebSocket<Upgraded>) -> Result<(), Error> {
//!     while let Some(message) = websocket.recv().await? {
//!         websocket.feed(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! // `any`, because a WebSocket is a GET over HTTP/1.1 and a CONNECT over HTTP/2.
//! let application: Router = Router::new().route("/echo", any(handler));
//! ```
//!
//! # Example: a graceful end
//!
//! At Ctrl-C, the server accepts no more requests, and closes each WebSocket with code 1001 (going away). After 15
//! seconds, it drops the remaining tasks.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::extract::State;
//! use axum::response::Response;
//! use axum::routing::any;
//! use sockless_tokio::CloseCode;
//! use sockless_tokio::axum::WebSocketUpgrade;
//! use sockless_tokio::server::Shutdown;
//!
//! # async fn example() -> std::io::Result<()> {
//! let shutdown = Shutdown::new();
//! let application = Router::new()
//!     .route("/echo", any(handler))
//!     .with_state(shutdown.clone());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let ending = shutdown.clone();
//! let serving = axum::serve(listener, application)
//!     .with_graceful_shutdown(async move { ending.begun().await });
//! shutdown.spawn(serving.into_future());
//!
//! tokio::signal::ctrl_c().await?;
//! shutdown.finish(Duration::from_secs(15)).await;
//! # Ok(())
//! # }
//!
//! async fn handler(upgrade: WebSocketUpgrade, State(shutdown): State<Shutdown>) -> Response {
//!     upgrade.shutdown(&shutdown).on_upgrade(async move |mut websocket| {
//!         let echo = async {
//!             while let Ok(Some(message)) = websocket.recv().await {
//!                 _ = websocket.feed(message).await;
//!             }
//!         };
//!         tokio::select! {
//!             () = echo => return,
//!             () = shutdown.begun() => {}
//!         }
//!         _ = websocket.close(CloseCode::GOING_AWAY, "").await;
//!     })
//! }
//! ```
//!
//! # Differences from axum's own extractor
//!
//! - Only web pages of the same host may connect, unless the [options](WebSocketUpgrade::options) say otherwise.
//! - A request without `Upgrade` gets status 426, as RFC 9110 demands, and not 400.
//! - The first subprotocol of the client's list that the server speaks is chosen, as RFC 6455 says. axum chooses the
//!   first one of the server's list.
//!
//! # What the server needs
//!
//! `axum::serve` allows upgrades over HTTP/1.1, and over HTTP/2 with axum's feature `http2`. It has no deadline for the
//! head of a request. Without a reverse proxy, use hyper directly: see
//! [what hyper needs](crate::hyper#what-hyper-needs).

use std::borrow::Cow;
use std::fmt;

use ::http::Request;
use ::http::request::Parts;
use ::hyper::ext::Protocol;
use ::hyper::upgrade::OnUpgrade;
use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use sockless::handshake::{Origins, ServerOptions};

pub use crate::hyper::{UpgradeError, Upgraded};

use crate::hyper::{is_upgrade_request, negotiate, read, upgrade};
use crate::server::Shutdown;
use crate::websocket::WebSocket;

/// An extractor for a request that asks for a WebSocket.
///
/// Use it on a route with `any`, which accepts the methods of HTTP/1.1 and HTTP/2. As `Option<WebSocketUpgrade>`, it is
/// `None` for a request that does not ask for a WebSocket. So one path can also have a page.
///
/// # Rejection
///
/// [`UpgradeError`] is a response with the right status, for example 426 if the request does not ask for a WebSocket
/// over HTTP/1.1. The `Origin` and the host are checked later, in [`on_upgrade`](Self::on_upgrade), because your
/// options decide about them.
///
/// # Example
///
/// See the [module](self).
#[must_use = "the handler must return the response of on_upgrade"]
pub struct WebSocketUpgrade {
    /// It has the extensions that the upgrade needs, and no others.
    request: Request<()>,
    options: ServerOptions<'static>,
    protocols: Vec<Cow<'static, str>>,
    shutdown: Option<Shutdown>,
    failed: Box<dyn FnOnce(::hyper::Error) + Send>,
}

impl WebSocketUpgrade {
    /// Sets the options: limits, compression, origins, hosts, headers of the response. Default:
    /// [`ServerOptions::new`].
    ///
    /// Options without [deadlines](crate::Config::deadlines) get the default [`Deadlines`](crate::Deadlines).
    /// [`protocols`](Self::protocols) takes precedence, whether you call it before or after this method.
    ///
    /// # Example: origins from a configuration file
    ///
    /// The options live as long as the program. So leak the values of a file once, when the program starts. Then clone
    /// the options for each request.
    ///
    /// ```
    /// use axum::extract::State;
    /// use axum::response::Response;
    /// use sockless_tokio::axum::WebSocketUpgrade;
    /// use sockless_tokio::{Origins, ServerOptions};
    ///
    /// /// Call this once, and put the result into the state of the router.
    /// fn options(origins: Vec<String>) -> ServerOptions<'static> {
    ///     let origins: Vec<&'static str> = origins.into_iter().map(|it| &*it.leak()).collect();
    ///     ServerOptions::new().with_origins(Origins::Only(origins.leak()))
    /// }
    ///
    /// async fn handler(upgrade: WebSocketUpgrade, State(options): State<ServerOptions<'static>>) -> Response {
    ///     upgrade.options(options).on_upgrade(|websocket| async { drop(websocket) })
    /// }
    /// ```
    pub fn options(mut self, options: ServerOptions<'static>) -> Self {
        self.options = options;
        self
    }

    /// Sets the subprotocols that the server speaks. They replace [`ServerOptions::subprotocols`], unless the list is
    /// empty. A later call of [`options`](Self::options) does not reset them.
    ///
    /// The server chooses the first one in the client's list that is also in this list.
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator<Item: Into<Cow<'static, str>>>,
    {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Spawns the task of the connection with this [`Shutdown`]. [`Shutdown::finish`] then waits for the task.
    ///
    /// In the task, wait for [`Shutdown::begun`] and close the connection.
    pub fn shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.shutdown = Some(shutdown.clone());
        self
    }

    /// Sets what to do if the connection fails before the response is written. For instance, the client has left.
    /// Default: nothing.
    pub fn on_failed_upgrade(
        mut self,
        failed: impl FnOnce(::hyper::Error) + Send + 'static,
    ) -> Self {
        self.failed = Box::new(failed);
        self
    }

    /// The subprotocols that the client offers, the preferred one first.
    #[must_use]
    pub fn requested_protocols(&self) -> Vec<String> {
        read(&self.request).subprotocols().map(Into::into).collect()
    }

    /// The subprotocol that [`on_upgrade`](Self::on_upgrade) will choose. `None` if it chooses none, or refuses the
    /// request. Set [`protocols`](Self::protocols) and [`options`](Self::options) before.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<String> {
        let agreed = self.with_options(|options| negotiate(&self.request, options));
        let (response, _) = agreed.ok()?;
        response.subprotocol().map(Into::into)
    }

    /// Returns the response. When the response is written, a new task calls `callback` with the connection.
    ///
    /// If the options do not allow the request, this is the response that refuses it, for example with status 403 for a
    /// web page of another origin. Then `callback` is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, like [`tokio::spawn`].
    #[must_use = "the handler must return the response"]
    pub fn on_upgrade<C, F>(mut self, callback: C) -> Response
    where
        C: FnOnce(WebSocket<Upgraded>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut request = std::mem::take(&mut self.request);
        let upgraded = self.with_options(|options| upgrade(&mut request, options));
        let (response, on_upgrade) = match upgraded {
            Ok(upgraded) => upgraded,
            Err(error) => return error.into_response(),
        };
        let failed = self.failed;
        let task = async move {
            match on_upgrade.await {
                Ok(websocket) => callback(websocket).await,
                Err(error) => failed(error),
            }
        };
        match &self.shutdown {
            Some(shutdown) => drop(shutdown.spawn(task)),
            None => drop(tokio::spawn(task)),
        }
        response.map(|()| Body::empty())
    }

    /// Calls `call` with the options and the subprotocols.
    fn with_options<T>(&self, call: impl FnOnce(&ServerOptions<'_>) -> T) -> T {
        let protocols: Vec<&str> = self.protocols.iter().map(AsRef::as_ref).collect();
        let mut options: ServerOptions<'_> = self.options.clone();
        if !protocols.is_empty() {
            options.subprotocols = &protocols;
        }
        call(&options)
    }
}

/// Shows the options, and no header of the request.
impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("options", &self.options)
            .field("protocols", &self.protocols)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = UpgradeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, UpgradeError> {
        let mut request = copy(parts);
        // The options of the handler are not known here.
        let options = ServerOptions::new().with_origins(Origins::Any);
        negotiate(&request, &options)?;
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        request
            .extensions_mut()
            .insert(upgrade.ok_or(UpgradeError::NotUpgradable)?);
        Ok(Self {
            request,
            options: ServerOptions::new(),
            protocols: Vec::new(),
            shutdown: None,
            failed: Box::new(|_| ()),
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = UpgradeError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, UpgradeError> {
        if !is_upgrade_request(&copy(parts)) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map(Some)
    }
}

impl IntoResponse for UpgradeError {
    fn into_response(self) -> Response {
        self.to_http().map(Body::from)
    }
}

/// The request without its body, and only with the extension that [`read`] needs.
fn copy(parts: &Parts) -> Request<()> {
    let mut request = Request::new(());
    request.method_mut().clone_from(&parts.method);
    request.uri_mut().clone_from(&parts.uri);
    *request.version_mut() = parts.version;
    request.headers_mut().clone_from(&parts.headers);
    if let Some(protocol) = parts.extensions.get::<Protocol>() {
        request.extensions_mut().insert(protocol.clone());
    }
    request
}
