//! Completions for shells, from the table of commands and that of fields.

use crate::frontend::commands::COMMANDS;
use crate::request::keys;

/// The completions of one shell; `None` when it is none of ours.
pub(super) fn completions(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        // zsh reads bash's by its own means.
        "zsh" => Some(format!(
            "#compdef pipework\nautoload -U +X bashcompinit && bashcompinit\n{}",
            bash()
        )),
        "fish" => Some(fish()),
        _ => None,
    }
}

fn fields() -> String {
    let names = keys::all().filter(|key| !key.is_open());
    let names: Vec<String> = names.map(|key| format!("{}=", key.name)).collect();
    names.join(" ")
}

fn bash() -> String {
    let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    let mut cases = String::new();
    for command in COMMANDS {
        let (name, words) = (command.name, command.completions().join(" "));
        if ["attach", "plan"].contains(&name) || words.is_empty() {
            continue;
        }
        cases.push_str(&format!("    {name}) words=\"{words}\" ;;\n"));
    }
    format!(
        "_pipework() {{\n\
         \x20 local word=\"${{COMP_WORDS[COMP_CWORD]}}\" words\n\
         \x20 if [ \"$COMP_CWORD\" -eq 1 ]; then\n\
         \x20   words=\"{}\"\n\
         \x20 else case \"${{COMP_WORDS[1]}}\" in\n\
         \x20   attach|plan) compopt -o nospace; words=\"{}\" ;;\n\
         {cases}\
         \x20 esac; fi\n\
         \x20 COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n\
         }}\n\
         complete -F _pipework pipework\n",
        names.join(" "),
        fields(),
    )
}

fn fish() -> String {
    let mut text = "complete -c pipework -f\n".to_owned();
    for command in COMMANDS {
        let (name, summary) = (command.name, command.summary.replace('\'', ""));
        text.push_str(&format!(
            "complete -c pipework -n __fish_use_subcommand -a {name} -d '{summary}'\n"
        ));
        let words = command.completions();
        if !words.is_empty() {
            text.push_str(&format!(
                "complete -c pipework -n '__fish_seen_subcommand_from {name}' -a '{}'\n",
                words.join(" ")
            ));
        }
    }
    text.push_str(&format!(
        "complete -c pipework -n '__fish_seen_subcommand_from attach plan' -a '{}'\n",
        fields()
    ));
    text
}
