//! A client of the sample services, in tonic, that keeps a service's contract.
//!
//! It calls at a fixed rate and prints one line of JSON for each call that has ended.

mod channel;
mod retry;

use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use heck::ToShoutySnakeCase;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tonic::{Status, transport::Channel};

mod greeter {
    tonic::include_proto!("examples.greeter.v1");
}
mod ticker {
    tonic::include_proto!("examples.ticker.v1");
}
use greeter::{GreetRequest, greeter_client::GreeterClient};
use ticker::{TickRequest, ticker_client::TickerClient};

const TICK_SECONDS: f64 = 0.2;

#[derive(Parser)]
struct Arguments {
    #[arg(value_name = "CONTRACT.json")]
    contract: String,
    #[arg(long, default_value = "10", value_parser = positive, help = "calls per second")]
    rate: f64,
    #[arg(long, default_value = "1e9", value_parser = positive, help = "call for so long")]
    seconds: f64,
    #[arg(long, value_parser = positive, help = "streams of so many seconds, no calls")]
    stream: Option<f64>,
    #[arg(long, default_value_t = 3, help = "length of the request's name")]
    message_bytes: usize,
    #[arg(long, help = "trust this file of certificates")]
    ca: Option<String>,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| *number > 0.0).ok_or("it is no positive number".into())
}

/// A channel, and what tonic leaves to each call.
#[derive(Clone)]
struct Service {
    channel: Channel,
    policy: retry::Policy,
    max_message_bytes: usize,
}

/// Make one unary call; notes in its line who answered.
async fn greet(at: Service, name: String, line: &mut Value) -> Result<(), Status> {
    let client = GreeterClient::new(at.channel).max_decoding_message_size(at.max_message_bytes);
    let call = |request| {
        let mut client = client.clone();
        async move { client.greet(request).await }
    };
    let reply = at.policy.call(GreetRequest { name }, call).await?;
    (line["pod"], line["envoy"]) = (reply.pod.into(), reply.caller.into());
    Ok(())
}

/// Read one stream to its end; notes in its line who answered, and the ticks.
async fn tick(at: Service, seconds: f64, line: &mut Value) -> Result<(), Status> {
    line["ticks"] = 0.into();
    let count = (seconds / TICK_SECONDS).round().max(1.0) as u32;
    let message = TickRequest { count, interval_seconds: TICK_SECONDS };
    let client = TickerClient::new(at.channel);
    let call = |request| {
        let mut client = client.clone();
        async move { client.tick(request).await }
    };
    let mut replies = at.policy.call(message, call).await?;
    while let Some(reply) = replies.message().await? {
        (line["pod"], line["envoy"]) = (reply.pod.into(), reply.caller.into());
        line["ticks"] = (reply.number + 1).into();
    }
    Ok(())
}

/// Make a call and print its line when it has ended.
async fn report(call: impl AsyncFnOnce(&mut Value) -> Result<(), Status>) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut line = json!({"at": at, "code": "OK", "pod": "", "envoy": "", "message": ""});
    let started = Instant::now();
    if let Err(status) = call(&mut line).await {
        (line["pod"], line["envoy"]) = ("".into(), "".into());
        line["code"] = format!("{:?}", status.code()).to_shouty_snake_case().into();
        line["message"] = status.message().into();
    }
    line["ms"] = (started.elapsed().as_secs_f64() * 1000.0).into();
    println!("{line}");
}

/// A wrong usage: one line on standard error, and 2.
fn fail(why: impl ToString) -> ! {
    let why = why.to_string();
    eprintln!("client: {}", why.split_whitespace().collect::<Vec<_>>().join(" "));
    std::process::exit(2)
}

fn read(path: &String) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| fail(format!("{path}: {why}")))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let given = Arguments::try_parse().unwrap_or_else(|error| match error.use_stderr() {
        true => fail(error.to_string().split("\n\n").next().unwrap_or_default()),
        false => error.exit(), // --help
    });
    let contract: channel::Contract =
        serde_json::from_str(&read(&given.contract)).unwrap_or_else(|why| fail(why));
    let ca = given.ca.as_ref().map(read);
    let at = Service {
        policy: retry::Policy::of(&contract),
        max_message_bytes: contract.max_message_bytes.unwrap_or(4 << 20), // tonic's default
        channel: channel::open(contract, ca),
    };

    let mut terminated = signal(SignalKind::terminate()).expect("signals can be handled");
    let mut end = pin!(timeout(Duration::from_secs_f64(given.seconds), terminated.recv()));
    let pace = Duration::from_secs_f64(1.0 / given.rate);
    if let Some(seconds) = given.stream {
        let streams = async {
            loop {
                report(async |line| tick(at.clone(), seconds, line).await).await;
                sleep(pace).await; // for streams that fail at once
            }
        };
        tokio::select! { _ = end => return, () = streams => return }
    }
    let mut calls = JoinSet::new();
    let mut due = interval(pace);
    loop {
        let (at, name) = (at.clone(), "x".repeat(given.message_bytes));
        tokio::select! {
            _ = &mut end => break,
            _ = due.tick() => calls.spawn(report(async move |line| greet(at, name, line).await)),
            Some(_) = calls.join_next() => continue,
        };
    }
    calls.join_all().await;
}
