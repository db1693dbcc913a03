const APPS: &str = "../../apps";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={APPS}");
    let protos = protox::compile(["greeter.proto", "ticker.proto"], [APPS])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(protos)?;
    Ok(())
}
