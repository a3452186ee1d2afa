//! Settlement files of the simulator: one CSV file a day.

use futures::{StreamExt, stream};
use jiff::civil::Date;
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::SimulatorPsp;
use crate::{
    PspError,
    http::{Chunks, key_rejected},
    settlement::{FILE_TIMEOUT, FileReader, SettlementError, SettlementLines, Settlements},
};

impl Settlements for SimulatorPsp {
    async fn settlement(&self, day: Date, partial: bool) -> Result<SettlementLines, SettlementError> {
        let file = format!("{day}.csv");
        let request = self.0.request(Method::GET, &["v1", "settlements", &file], Instant::now() + FILE_TIMEOUT)?;
        let request = if partial { request.query(&[("partial", "true")]) } else { request };
        match self.0.stream(request).await? {
            Ok(chunks) => Ok(lines(chunks)),
            Err(status) => Err(failure(status)),
        }
    }
}

fn failure(status: StatusCode) -> SettlementError {
    match status {
        StatusCode::CONFLICT => SettlementError::InProgress,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => key_rejected().into(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            PspError::Unavailable("it is overloaded").into()
        }
        status if status.is_client_error() => PspError::Refused(format!("http_{}", status.as_u16())).into(),
        _ => PspError::Unknown("it failed with a server error").into(),
    }
}

fn lines(chunks: Chunks) -> SettlementLines {
    stream::try_unfold((chunks, FileReader::default()), |(mut chunks, mut reader)| async {
        let Some(chunk) = chunks.next().await? else {
            reader.finish()?;
            return Ok(None);
        };
        let lines = reader.read(&chunk)?;
        Ok(Some((lines, (chunks, reader))))
    })
    .boxed()
}
