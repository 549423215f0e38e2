//! The answer to a request for a plan: what a reload with the caller's file of settings would do.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::frame::Frames;
use crate::operations::Operations;
use crate::reload::NewFile;

/// The verb and the version of the answer; a length in bytes follows. So long is what comes behind the request: the name of
/// the file as a line, then the file.
pub(super) const PLAN: &str = "plan 1";
/// The longest file of settings that is taken.
const FILE_BYTES_MAX: usize = 4 << 20;

/// What was asked for.
#[derive(Debug)]
pub(super) enum Asked {
    File(NewFile),
    /// Why it cannot be answered.
    Wrong(String),
}

/// Reads the file that follows a request; `None`: the request is another one.
pub(super) async fn read(stream: &mut UnixStream, request: &str) -> io::Result<Option<Asked>> {
    let Some(rest) = request.strip_prefix(PLAN).and_then(|rest| rest.strip_prefix(' ')) else {
        return Ok(None);
    };
    let length = rest.parse().ok().filter(|length| *length <= FILE_BYTES_MAX);
    let Some(length) = length else {
        let what = format!("the length of a file of settings is at most {FILE_BYTES_MAX} bytes");
        return Ok(Some(Asked::Wrong(what)));
    };
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    let file = String::from_utf8(bytes).ok();
    let file = file.as_deref().and_then(|file| file.split_once('\n'));
    Ok(Some(match file {
        Some((name, text)) => Asked::File(NewFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }),
        None => Asked::Wrong("the file of settings is no text in UTF-8 behind its name".to_owned()),
    }))
}

/// Answers with the plan in JSON, and with why there is none.
pub(super) async fn answer(frames: &mut Frames, asked: Asked, operations: &Operations) -> io::Result<()> {
    let planned = match asked {
        Asked::File(file) => operations.plan(file).await.map_err(|declined| declined.0),
        Asked::Wrong(what) => Err(what),
    };
    match planned {
        Ok(plan) => {
            let json = serde_json::to_vec(&plan).map_err(io::Error::other)?;
            frames.data(|out| out.extend_from_slice(&json)).await?;
            frames.end().await
        }
        Err(why) => frames.fail(&why).await,
    }
}
