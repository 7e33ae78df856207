//! Requests of chat completions, written in one of the styles that servers understand.

use async_openai::types::chat::{
    ChatCompletionNamedToolChoice, ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, ChatCompletionTool, ChatCompletionToolChoiceOption, ChatCompletionTools, CreateChatCompletionRequest,
    FunctionName, FunctionObject, ResponseFormat, ResponseFormatJsonSchema,
};

use super::settings::ModelSettings;
use super::style::{LengthParameter, Style};
use crate::api::provider::OutputMode;
use crate::generation::call::{Message, ModelCall, OutputSchema, Role};

/// Temperature that is asked for: workflows shall be right, not original.
const TEMPERATURE: f32 = 0.2;

/// Returns the request of a call.
pub fn request(call: &ModelCall, model: &ModelSettings, style: Style) -> CreateChatCompletionRequest {
    let mut request = CreateChatCompletionRequest {
        model: model.name.clone(),
        messages: messages(call, style).into_iter().map(message).collect(),
        stream: Some(false),
        temperature: style.temperature.then_some(TEMPERATURE),
        ..Default::default()
    };
    limit_length(&mut request, style.length, maximum_output(call, model));
    if let Some(output) = &call.output {
        ask_for_json(&mut request, output, style.mode);
    }
    request
}

/// Returns the maximum number of tokens of the answer.
pub fn maximum_output(call: &ModelCall, model: &ModelSettings) -> u32 {
    model.maximum_output_tokens.unwrap_or(u32::MAX).min(call.maximum_output_tokens)
}

// Servers other than OpenAI's know only the parameter that is deprecated there.
#[allow(deprecated)]
fn limit_length(request: &mut CreateChatCompletionRequest, parameter: LengthParameter, tokens: u32) {
    match parameter {
        LengthParameter::MaxTokens => request.max_tokens = Some(tokens),
        LengthParameter::MaxCompletionTokens => request.max_completion_tokens = Some(tokens),
    }
}

fn ask_for_json(request: &mut CreateChatCompletionRequest, output: &OutputSchema, mode: OutputMode) {
    let format = |schema: &serde_json::Value, strict| ResponseFormat::JsonSchema {
        json_schema: ResponseFormatJsonSchema { name: output.name.clone(), description: None, schema: schema.clone(), strict },
    };
    match mode {
        OutputMode::StrictSchema => request.response_format = Some(format(&output.strict, Some(true))),
        OutputMode::Schema => request.response_format = Some(format(&output.schema, None)),
        OutputMode::Tool => {
            let function = FunctionObject {
                name: output.name.clone(),
                description: Some("Takes the answer.".to_owned()),
                parameters: Some(output.schema.clone()),
                strict: None,
            };
            request.tools = Some(vec![ChatCompletionTools::Function(ChatCompletionTool { function })]);
            let choice = ChatCompletionNamedToolChoice { function: FunctionName { name: output.name.clone() } };
            request.tool_choice = Some(ChatCompletionToolChoiceOption::Function(choice));
        }
        OutputMode::Json => request.response_format = Some(ResponseFormat::JsonObject),
        OutputMode::Text => {}
    }
}

/// Returns the messages, with the schema behind the rules if the server is not given it otherwise: it rarely changes, so that caches keep it.
fn messages(call: &ModelCall, style: Style) -> Vec<Message> {
    let mut messages = call.messages.clone();
    let rules = messages.iter().take_while(|message| message.role == Role::System).count();
    if let (Some(output), OutputMode::Json | OutputMode::Text) = (&call.output, style.mode) {
        let how = match style.mode {
            OutputMode::Json => "Answer with one JSON object and nothing else",
            _ => "Answer with one JSON object in a fence that begins with ```json, and nothing else",
        };
        let text = format!("{how}. It must satisfy this JSON Schema:\n{}", output.schema);
        messages.insert(rules, Message { role: Role::System, text });
    }
    if !style.system {
        return without_system(messages);
    }
    messages
}

/// Returns the messages with those of the system in front of the first of the user.
fn without_system(messages: Vec<Message>) -> Vec<Message> {
    let (system, mut others): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| message.role == Role::System);
    let rules: Vec<String> = system.into_iter().map(|message| message.text).collect();
    match others.first_mut() {
        Some(first) if first.role == Role::User => first.text = [rules.join("\n\n").as_str(), &first.text].join("\n\n"),
        _ => others.insert(0, Message { role: Role::User, text: rules.join("\n\n") }),
    }
    others
}

fn message(message: Message) -> ChatCompletionRequestMessage {
    match message.role {
        Role::System => ChatCompletionRequestSystemMessage::from(message.text).into(),
        Role::User => ChatCompletionRequestUserMessage::from(message.text).into(),
        Role::Assistant => ChatCompletionRequestAssistantMessage::from(message.text).into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::generation::call::{ModelTier, Stage};

    fn call() -> ModelCall {
        let message = |role, text: &str| Message { role, text: text.to_owned() };
        ModelCall {
            key: "k".to_owned(),
            stage: Stage::Plan,
            tier: ModelTier::Simple,
            messages: vec![message(Role::System, "rules"), message(Role::User, "question")],
            output: Some(OutputSchema { name: "workflow".to_owned(), strict: json!({ "s": 1 }), schema: json!({ "t": 2 }) }),
            maximum_output_tokens: 500,
        }
    }

    fn body(style: Style) -> Value {
        serde_json::to_value(request(&call(), &ModelSettings::named("m"), style)).unwrap()
    }

    #[test]
    fn each_way_of_asking_for_json_is_written_as_servers_expect_it() {
        let strict = body(Style::first(OutputMode::StrictSchema));
        let format = json!({ "type": "json_schema", "json_schema": { "name": "workflow", "schema": { "s": 1 }, "strict": true } });
        assert_eq!(strict["response_format"], format);
        assert_eq!((&strict["model"], &strict["stream"], &strict["max_tokens"]), (&json!("m"), &json!(false), &json!(500)));
        assert_eq!(strict["messages"], json!([{ "role": "system", "content": "rules" }, { "role": "user", "content": "question" }]));
        let schema = body(Style::first(OutputMode::Schema));
        assert_eq!(schema["response_format"]["json_schema"], json!({ "name": "workflow", "schema": { "t": 2 } }));
        let tool = body(Style::first(OutputMode::Tool));
        assert_eq!(tool["tools"][0]["type"], "function");
        assert_eq!(tool["tools"][0]["function"]["parameters"], json!({ "t": 2 }));
        assert_eq!(tool["tool_choice"], json!({ "type": "function", "function": { "name": "workflow" } }));
        let json = body(Style::first(OutputMode::Json));
        assert_eq!(json["response_format"], json!({ "type": "json_object" }));
        let text = body(Style::first(OutputMode::Text));
        assert!(text.get("response_format").is_none() && text.get("tools").is_none());
        for body in [json, text] {
            assert!(body["messages"][1]["content"].as_str().unwrap().contains(r#"{"t":2}"#), "{body}");
            assert_eq!((&body["messages"][1]["role"], &body["messages"][2]["content"]), (&json!("system"), &json!("question")));
        }
    }

    #[test]
    fn what_a_server_refuses_is_left_out() {
        let style =
            Style { length: LengthParameter::MaxCompletionTokens, temperature: false, system: false, ..Style::first(OutputMode::Text) };
        let body = body(style);
        assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none());
        assert_eq!(body["max_completion_tokens"], 500);
        assert_eq!(body["messages"].as_array().unwrap().len(), 1);
        let text = body["messages"][0]["content"].as_str().unwrap();
        assert!(text.starts_with("rules\n\n") && text.ends_with("\n\nquestion") && text.contains("JSON Schema"), "{text}");
    }

    #[test]
    fn the_shorter_maximum_of_call_and_model_applies() {
        let model = ModelSettings { maximum_output_tokens: Some(100), ..ModelSettings::named("m") };
        assert_eq!(maximum_output(&call(), &model), 100);
        assert_eq!(maximum_output(&call(), &ModelSettings::named("m")), 500);
    }
}
