//! Sends every message back, as a client. The Autobahn test suite tests it, on port 9001.

use std::error;

use log::{error, info};
use sockless_tokio::{CloseCode, Error, connect};

const SUITE: &str = "ws://localhost:9001";
const AGENT: &str = "sockless-tokio";

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    env_logger::init();
    for case in 1..=case_count().await? {
        if let Err(error) = run_case(case).await {
            error!("Testcase failed: {error}");
        }
    }
    update_reports().await
}

async fn case_count() -> Result<u32> {
    let mut websocket = connect(&format!("{SUITE}/getCaseCount")).await?;
    let count = websocket.recv().await?.ok_or("no case count")?;
    websocket.close(CloseCode::NORMAL, "").await?;
    Ok(count.as_text().ok_or("the case count is binary")?.parse()?)
}

async fn run_case(case: u32) -> Result<()> {
    info!("Running test case {case}");
    let url = format!("{SUITE}/runCase?case={case}&agent={AGENT}");
    let mut websocket = connect(&url).await?;
    loop {
        match websocket.recv().await {
            Ok(Some(message)) => websocket.feed(message).await?,
            // The suite breaks the protocol on purpose.
            Ok(None) | Err(Error::Protocol(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn update_reports() -> Result<()> {
    let mut websocket = connect(&format!("{SUITE}/updateReports?agent={AGENT}")).await?;
    websocket.close(CloseCode::NORMAL, "").await?;
    Ok(())
}
