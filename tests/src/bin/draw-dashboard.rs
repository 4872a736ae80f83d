//! Prints the dashboard of `template.yaml` as SVG.

use webhooks_tests::dashboard;

fn main() -> anyhow::Result<()> {
    print!("{}", dashboard::draw(&dashboard::load()?));
    Ok(())
}
