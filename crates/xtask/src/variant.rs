//! `cargo xtask without-function-urls`: the template for Regions without Function URLs.
//!
//! A condition is not enough: a change set may refuse a resource type that its Region lacks,
//! even if the resource's condition is false. So the resource must be removed. The API is then
//! invoked directly, which the client does automatically if the output `ApiUrl` is missing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::workspace::Workspace;

/// Texts that only Function URLs contain. A resource with any of these is removed.
const MARKS: [&str; 3] = [
    "Type: AWS::Lambda::Url",
    "FunctionUrlAuthType:",
    "InvokedViaFunctionUrl:",
];

/// Options of `without-function-urls`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The template, as written by `cargo xtask build`.
    #[arg(default_value = ".aws-sam/build/template.yaml")]
    template: PathBuf,
}

/// Writes the template without its Function URLs to a file next to it.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let path = workspace.root().join(&options.template);
    let template =
        fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
    let without = path.with_file_name("template-without-function-urls.yaml");
    fs::write(&without, without_function_urls(&template)?)
        .with_context(|| format!("writing `{}`", without.display()))?;
    let shown = without.strip_prefix(workspace.root()).unwrap_or(&without);
    println!("sam deploy --template-file {}", shown.display());
    Ok(())
}

/// Removes the resources of Function URLs, and the outputs that refer to them. Where another resource
/// has the address of one in an `If`, such as the API that of the portal, the address is empty.
///
/// Accepts both the hand-written template and the output of `sam build`: logical ids are
/// indented by two spaces, their contents by more.
///
/// # Errors
/// If there is no such resource, or if a remaining resource depends on one.
pub(crate) fn without_function_urls(template: &str) -> Result<String> {
    let blocks = blocks(template);
    let gone: BTreeSet<&str> = blocks
        .iter()
        .filter(|block| block.section == "Resources" && block.has_mark())
        .filter_map(|block| block.id)
        .collect();
    ensure!(!gone.is_empty(), "the template has no Function URL");
    let mut without = String::with_capacity(template.len());
    for block in &blocks {
        let is_gone = match block.section {
            "Resources" => block.id.is_some_and(|id| gone.contains(id)),
            "Outputs" => block.id.is_some() && block.names(&gone).is_some(),
            _ => false,
        };
        if is_gone {
            continue;
        }
        let block = &block.without_addresses(&gone);
        if let Some(id) = block.names(&gone) {
            anyhow::bail!(
                "`{}` depends on the Function URL `{id}`",
                block.id.unwrap_or(block.section)
            );
        }
        ensure!(
            !block
                .lines
                .iter()
                .any(|line| line.contains("FunctionUrlConfig:")),
            "`{}` has a FunctionUrlConfig: use a separate resource for it, which can be removed",
            block.id.unwrap_or(block.section)
        );
        for line in &block.lines {
            without.push_str(line);
            without.push('\n');
        }
    }
    Ok(without)
}

/// A logical id with its contents and the comment before it, or the text between such blocks.
struct Block<'a> {
    section: &'a str,
    id: Option<&'a str>,
    lines: Vec<Cow<'a, str>>,
}

impl Block<'_> {
    fn has_mark(&self) -> bool {
        let is_mark = |line: &Cow<'_, str>| MARKS.iter().any(|mark| line.trim().starts_with(mark));
        self.lines.iter().any(is_mark)
    }

    /// The same block with an empty text in place of the addresses of these Function URLs.
    fn without_addresses(&self, ids: &BTreeSet<&str>) -> Self {
        let mut lines: Vec<Cow<'_, str>> = Vec::new();
        for line in &self.lines {
            let mut line = line.clone();
            for id in ids {
                let address = format!("!GetAtt {id}.FunctionUrl");
                if line.contains("!If [") && line.contains(&address) {
                    line = line.replace(&address, "\"\"").into();
                }
            }
            lines.push(line);
            // The form that `sam build` writes has a line for each part.
            if let [.., get, id, attribute] = &lines[..]
                && get.trim() == "- Fn::GetAtt:"
                && attribute.trim() == "- FunctionUrl"
                && ids.contains(id.trim().trim_start_matches("- "))
            {
                let empty = get.replace("Fn::GetAtt:", "''");
                lines.truncate(lines.len() - 3);
                lines.push(empty.into());
            }
        }
        Block {
            section: self.section,
            id: self.id,
            lines,
        }
    }

    /// Returns the first of the ids that this block refers to outside of comments.
    fn names<'b>(&self, ids: &BTreeSet<&'b str>) -> Option<&'b str> {
        let lines = self.lines.iter();
        let code = lines.filter(|line| !line.trim_start().starts_with('#'));
        code.flat_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric()))
            .find_map(|word| ids.get(word).copied())
    }
}

fn blocks(template: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut section = "";
    // Comments and empty lines belong to the block after them.
    let mut waiting: Vec<Cow<'_, str>> = Vec::new();
    for line in template.lines() {
        let indent = line.len() - line.trim_start().len();
        let is_between = line.trim().is_empty() || (indent <= 2 && line.trim().starts_with('#'));
        if is_between {
            waiting.push(line.into());
            continue;
        }
        let starts_block = match indent {
            0 => {
                section = line.split(':').next().unwrap_or_default();
                true
            }
            2 => line
                .trim_start()
                .starts_with(|c: char| c.is_ascii_alphabetic()),
            _ => false,
        };
        if starts_block || blocks.is_empty() {
            let id = (indent == 2)
                .then(|| line.trim().split(':').next())
                .flatten();
            blocks.push(Block {
                section,
                id,
                lines: Vec::new(),
            });
        }
        if let Some(block) = blocks.last_mut() {
            block.lines.append(&mut waiting);
            block.lines.push(line.into());
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lines of the template in this checkout that are removed.
    fn left_out(template: &str) -> Vec<String> {
        let without = without_function_urls(template).unwrap();
        // The functions do without the address of the portal.
        let template = template.replace("!GetAtt PortalFunctionUrl.FunctionUrl]", "\"\"]");
        let mut kept = without.lines().peekable();
        let mut gone = Vec::new();
        for line in template.lines() {
            if kept.peek() == Some(&line) {
                kept.next();
            } else if !line.trim().is_empty() && !line.trim().starts_with('#') {
                gone.push(line.to_owned());
            }
        }
        assert!(kept.next().is_none(), "something was added");
        gone
    }

    #[test]
    fn only_the_function_urls_and_their_outputs_are_left_out() {
        let workspace = Workspace::find().unwrap();
        let template = fs::read_to_string(workspace.root().join("template.yaml")).unwrap();
        let gone = left_out(&template);
        assert!(gone.contains(&"  ApiFunctionUrl:".to_owned()), "{gone:?}");
        assert!(gone.contains(&"  ApiUrl:".to_owned()), "{gone:?}");
        let without = without_function_urls(&template).unwrap();
        for stays in ["  ApiFunction:\n", "  ApiRole:\n", "  ApiFunctionName:\n"] {
            assert!(without.contains(stays), "{stays}");
        }
        assert!(!without.contains("AWS::Lambda::Url"));
        let variable =
            "PORTAL_URL: !If [RunsPortal, !If [HasPortalUrl, !Ref PortalUrl, \"\"], \"\"]";
        assert!(without.contains(variable));
    }

    #[test]
    fn the_output_of_sam_build_is_accepted_too() {
        let built = "\
Resources:
  ApiFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ApiFunction
      PORTAL_URL:
        Fn::If:
        - HasPortalUrl
        - Ref: PortalUrl
        - Fn::GetAtt:
          - ApiFunctionUrl
          - FunctionUrl
  ApiFunctionUrl:
    Type: AWS::Lambda::Url
    Properties:
      AuthType: AWS_IAM
      TargetFunctionArn:
        Ref: ApiFunction
  PublicPermission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionUrlAuthType: NONE
Outputs:
  ApiUrl:
    Value:
      Fn::GetAtt:
      - ApiFunctionUrl
      - FunctionUrl
  ApiFunctionName:
    Value:
      Ref: ApiFunction
";
        assert_eq!(
            without_function_urls(built).unwrap(),
            "\
Resources:
  ApiFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ApiFunction
      PORTAL_URL:
        Fn::If:
        - HasPortalUrl
        - Ref: PortalUrl
        - ''
Outputs:
  ApiFunctionName:
    Value:
      Ref: ApiFunction
"
        );
    }

    #[test]
    fn a_template_that_needs_its_url_is_refused_by_name() {
        let url = "  Url:\n    Type: AWS::Lambda::Url\n";
        for (rest, refusal) in [
            (
                "  Alarm:\n    Value: !GetAtt Url.FunctionUrl\n",
                "`Alarm` depends on the Function URL `Url`",
            ),
            (
                "  Api:\n    Properties:\n      FunctionUrlConfig:\n",
                "`Api` has a FunctionUrlConfig: use a separate resource for it, which can be removed",
            ),
        ] {
            let error = without_function_urls(&format!("Resources:\n{url}{rest}")).unwrap_err();
            assert_eq!(error.to_string(), refusal);
        }
        let error = without_function_urls("Resources:\n  Api:\n    Type: x\n").unwrap_err();
        assert_eq!(error.to_string(), "the template has no Function URL");
    }
}
