//! The benchmarks. `benches/run` builds and runs this program.

use std::process::ExitCode;

use sockless_benches::speed::{self, Options};
use sockless_benches::{deflate, memory, million, take};

const USAGE: &str = "\
usage: benches/run [COMMAND]

speed [--quick] [--only PREFIX]... [--out DIR]
                       times beside other implementations; the default command
    --quick            a sixth of the turns
    --only PREFIX      only series whose id begins with PREFIX; may be repeated
    --out DIR          write DIR/results.md
memory                 heap of a connection and allocations for a message
million [CONNECTIONS]  memory of many connections: 1000 or more, by default 1000000
deflate                times of compression
take                   times to keep large messages: copied, or with their memory";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["--help" | "-h"] => println!("{USAGE}"),
        ["memory"] => memory::report(),
        ["million"] => return million::report(1_000_000),
        ["million", "--hold", name, count] => {
            return million::hold(name, count.parse().map_err(|_| USAGE)?);
        }
        ["million", count] => match count.parse() {
            Ok(count @ 1000..) => return million::report(count),
            _ => return Err(USAGE.into()),
        },
        ["deflate"] => deflate::report(),
        ["take"] => take::report(),
        ["speed", options @ ..] | options => {
            let options = parse(options).map_err(|error| format!("{error}\n{USAGE}"))?;
            return speed::report(&options);
        }
    }
    Ok(())
}

fn parse(arguments: &[&str]) -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;

    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("only") => options.only.push(parser.value()?.string()?),
            Long("out") => options.out = Some(parser.value()?.into()),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        assert_eq!(parse(&[]).unwrap(), Options::default());
        let given = ["--quick", "--only", "send-", "--only=echo-1", "--out", "x"];
        let expected = Options {
            quick: true,
            only: vec!["send-".into(), "echo-1".into()],
            out: Some("x".into()),
        };
        assert_eq!(parse(&given).unwrap(), expected);
        run(&["--help"]).unwrap();
        for wrong in [
            &["--only"][..],
            &["--fast"],
            &["fast"],
            &["million", "999"],
            &["million", "--hold", "nobody", "1"],
        ] {
            assert!(run(wrong).is_err(), "{wrong:?}");
        }
    }
}
