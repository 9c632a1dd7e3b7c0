//! Connections on which nothing happens.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::connection::Connection;
use super::{SLACK, Server, Verdict, all_of};

const CONNECTIONS: usize = 50;

const STRETCH: Duration = Duration::from_secs(3);

/// Open and silent connections take no processor time except for Pings.
pub(super) async fn does_not_spin(server: &Server) -> Verdict {
    let mut connections = Connection::open_many(server, CONNECTIONS).await?;
    let measured = async {
        server.process.rests(SLACK).await?;
        server.process.stays_at_rest(STRETCH).await
    };
    tokio::pin!(measured);
    // The clients answer Pings during the measurement.
    let found = loop {
        let until = Instant::now() + STRETCH;
        let idle = join_all(connections.iter_mut().map(|it| it.idle(until)));
        tokio::select! {
            found = &mut measured => break found?,
            idle = idle => all_of("idle connections failed", idle)?,
        }
    };
    for connection in &mut connections {
        connection.echo("not idle").await?;
    }
    for connection in connections {
        connection.close().await?;
    }
    Ok(format!("with {CONNECTIONS} connections it {found}"))
}
