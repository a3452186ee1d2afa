//! The failed tests in the output of `cargo test`, to be said again at its end, where the reader of a long log looks.

/// Most lines that are shown of the message of a panic.
const LINES: usize = 15;

/// The names of the failed tests, each with the message of its first panic, shortened to [`LINES`] lines.
pub(crate) fn failures(output: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut name = None;
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        name = test_of(line).or(name);
        if line.contains(" panicked at ")
            && let Some(name) = name.take()
        {
            let mut message = vec![name, line];
            while let Some(line) = lines.next_if(|line| message.len() <= LINES && !ends_message(line)) {
                message.push(line);
            }
            found.push(message.join("\n    "));
        }
    }
    found
}

/// The test whose output begins with this line.
fn test_of(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

fn ends_message(line: &str) -> bool {
    line == "stack backtrace:" || line == "failures:" || line.starts_with("note: run with") || test_of(line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_named_with_the_message_of_their_panic() {
        let output = "\
test a::passes ... ok
test a::fails ... FAILED
thread 'elsewhere' panicked at src/b.rs:1:1: not of a failed test

failures:

---- a::fails stdout ----
printed before

thread 'a::fails' (7) panicked at src/a.rs:9:5:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: begin
---- a::returns_an_error stdout ----
Error: no panic
---- a::also_fails stdout ----
thread 'a::also_fails' (8) panicked at src/a.rs:20:5:
short
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

failures:
    a::fails
";
        let message = "a::fails\n    thread 'a::fails' (7) panicked at src/a.rs:9:5:\n    assertion `left == right` failed\n      \
                       left: 1\n     right: 2";
        let also = "a::also_fails\n    thread 'a::also_fails' (8) panicked at src/a.rs:20:5:\n    short";
        assert_eq!(failures(output), [message, also]);
    }

    #[test]
    fn long_message_is_cut() {
        let long = "---- a stdout ----\nthread 'a' panicked at a.rs:1:1:\n".to_owned() + &"more\n".repeat(100);
        assert_eq!(failures(&long)[0].lines().count(), LINES + 1);
    }
}
