//! Output of nodes: the fields that further nodes refer to.

/// The output of a node, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data {
    /// Id of the node.
    pub node: String,
    /// Known fields.
    pub fields: Vec<Field>,
    /// Path below which the user decides about the names of fields.
    pub open: Option<String>,
    /// Path of the object that an item is about; empty for the whole output.
    pub whole: String,
    /// Name of the binary property, if the items have files.
    pub binary: Option<String>,
    /// True if a run has several items.
    pub many: bool,
    /// True if the items say nothing but that the workflow started.
    pub hollow: bool,
    /// True if the items are records of which no field is known.
    pub raw: bool,
    /// The service that the items come from, by the name of its node type.
    pub service: String,
    /// Noun for an item, in English.
    pub noun: String,
}

/// A field of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Label for people.
    pub label: String,
    /// Nouns that mean the field.
    pub words: Vec<String>,
    /// Path in the output, or an expression of JavaScript on the output, with `@` in the place of the node.
    pub path: String,
    /// True if a message shows it even if the prompt does not name it.
    pub main: bool,
}

/// Fields of outputs: node type with resource and operation, then `label:words:path`, in the order in which messages show them; a label
/// with `-` is only shown if it is named. `open:` and `whole:` are paths.
const OUTPUTS: &[(&str, &str)] = &[
    (
        "gmailTrigger",
        "From:sender,mail,name:from.text;Subject:title,subject:subject;-Sender:address,email:from.value[0].address;-Text:text,message,body:text;-Date:date:date;-Id:id:id",
    ),
    (
        "emailReadImap",
        "From:sender,address,mail,name:from;Subject:title,subject:subject;-Text:text,message:(@.textPlain ?? @.textHtml);-Date:date:date",
    ),
    (
        "microsoftOutlookTrigger",
        "From:sender,address,mail,name:from;Subject:title,subject:subject;-Text:text,message:bodyPreview;-Date:date:receivedDateTime;-Id:id:id",
    ),
    (
        "telegramTrigger",
        "Text:text,message,question:message.text;-Chat:chat:message.chat.id;-Name:name,user,sender:message.from.first_name;-Username:username:message.from.username",
    ),
    ("telegramTrigger.channel_post", "Text:text,message:channel_post.text;-Chat:chat:channel_post.chat.id"),
    ("slackTrigger", "Text:text,message,question:text;-User:user,name,sender:user;-Channel:channel,chat:channel;-Thread:thread:ts"),
    (
        "whatsAppTrigger",
        "Text:text,message,question:messages[0].text.body;-Chat:phone,number,chat,sender:messages[0].from;-Type:type:messages[0].type;-Name:name,customer:contacts[0].profile.name",
    ),
    (
        "rssFeedReadTrigger",
        "Title:title,name,article:title;Link:link,url:link;-Summary:summary,text,excerpt:contentSnippet;-Date:date:isoDate;-Author:author:creator",
    ),
    (
        "rssFeedRead",
        "Title:title,name,article:title;Link:link,url:link;-Summary:summary,text,excerpt:contentSnippet;-Date:date:isoDate;-Author:author:creator",
    ),
    ("webhook", "open:body;whole:body"),
    ("chatTrigger", "Text:text,message,question:chatInput;-Session:chat:sessionId"),
    ("googleDriveTrigger", "Name:name,title,file:name;Link:link,url:webViewLink;-Id:id:id;-Type:type:mimeType"),
    ("microsoftOneDriveTrigger", "Name:name,title,file:name;Link:link,url:webUrl;-Id:id:id"),
    ("googleSheetsTrigger", "open:;whole:"),
    ("airtableTrigger", "open:fields;whole:fields;-Id:id:id"),
    ("notionTrigger", "Name:name,title,page:name;Link:link,url:url;-Id:id:id;open:"),
    (
        "githubTrigger.issues",
        "Title:title,issue,name:body.issue.title;Link:link,url:body.issue.html_url;-Text:text,message:body.issue.body;-Author:author,user:body.issue.user.login;-Action:action:body.action;-Labels:label,tag:(@.body.issue.labels ?? []).map(label => label.name).join(', ')",
    ),
    (
        "githubTrigger.pull_request",
        "Title:title,name,pullrequest:body.pull_request.title;Link:link,url:body.pull_request.html_url;-Author:author,user:body.pull_request.user.login;-Branch:branch:body.pull_request.base.ref;-Labels:label,tag:(@.body.pull_request.labels ?? []).map(label => label.name).join(', ');-Action:action:@.body.pull_request.merged && @.body.action === 'closed' ? 'merged' : @.body.action",
    ),
    (
        "githubTrigger.push",
        "Message:message,commit,text,title:body.head_commit.message;Link:link,url:body.head_commit.url;-Author:author,user:body.pusher.name;-Branch:branch:@.body.ref.replace('refs/heads/', '')",
    ),
    (
        "githubTrigger.release",
        "Name:name,title,release,version:body.release.name;Link:link,url:body.release.html_url;-Text:text,note:body.release.body;-Action:action:body.action",
    ),
    (
        "githubTrigger.issue_comment",
        "Comment:comment,text,message:body.comment.body;Link:link,url:body.comment.html_url;-Author:author,user:body.comment.user.login;-Title:issue,title:body.issue.title;-Action:action:body.action",
    ),
    (
        "githubTrigger.star",
        "Person:person,user,name,author:body.sender.login;Repository:repository,title:body.repository.full_name;Link:link,url:body.repository.html_url;-Action:action:body.action",
    ),
    (
        "githubTrigger",
        "Repository:repository,name,title:body.repository.full_name;Link:link,url:body.repository.html_url;-Action:action:body.action",
    ),
    (
        "gitlabTrigger.pipeline",
        "Project:project,name,title:body.project.name;Status:status:body.object_attributes.status;Link:link,url:body.project.web_url;-Action:action:body.object_attributes.status",
    ),
    (
        "gitlabTrigger.releases",
        "Name:name,title,release,version:body.name;Link:link,url:body.url;-Text:text,note:body.description;-Action:action:body.action",
    ),
    (
        "gitlabTrigger",
        "Title:title,issue,name:body.object_attributes.title;Link:link,url:body.object_attributes.url;-Action:action:body.object_attributes.action",
    ),
    (
        "trelloTrigger",
        "Card:card,title,name:action.data.card.name;Board:board:action.data.board.name;Link:link,url:'https://trello.com/c/' + @.action.data.card.shortLink;-Action:action:action.type",
    ),
    (
        "jiraTrigger",
        "Key:key,number:issue.key;Summary:title,summary,name,issue:issue.fields.summary;-Status:status:issue.fields.status.name;-Text:text:issue.fields.description;-Priority:priority:@.issue.fields.priority?.name;-Type:type:issue.fields.issuetype.name;-Project:project:issue.fields.project.key;-Labels:label,tag:(@.issue.fields.labels ?? []).join(', ')",
    ),
    (
        "linearTrigger",
        "Title:title,issue,name:data.title;Link:link,url:url;-Text:text:data.description;-Priority:priority:data.priorityLabel;-Labels:label,tag:(@.data.labels ?? []).map(label => label.name).join(', ');-Action:action:action",
    ),
    (
        "stripeTrigger",
        "Type:type:type;Amount:amount,price,payment:data.object.amount;Currency:currency:data.object.currency;-Id:id:data.object.id;-Customer:customer:data.object.customer;-Email:mail,address,email:data.object.receipt_email",
    ),
    (
        "shopifyTrigger",
        "Order:order,number,name:name;Email:mail,address,email,customer:email;Total:amount,total,price:total_price;-Currency:currency:currency;open:",
    ),
    (
        "wooCommerceTrigger",
        "Order:order,number:id;Email:mail,address,email,customer:billing.email;Total:amount,total,price:total;-Currency:currency:currency",
    ),
    (
        "calendlyTrigger",
        "Name:name,customer:payload.name;Email:mail,address,email:payload.email;Start:date,time,event:payload.scheduled_event.start_time",
    ),
    ("calTrigger", "Title:title,name,event:title;Start:date,time:startTime;Email:mail,address,email:attendees[0].email"),
    ("typeformTrigger", "open:;whole:"),
    ("jotFormTrigger", "open:;whole:"),
    (
        "facebookLeadAdsTrigger",
        "Name:name,lead:data.full_name;Email:mail,address,email:data.email;-Phone:phone:data.phone_number;open:data;whole:data",
    ),
    (
        "mailchimpTrigger",
        "Email:mail,address,email,subscriber:@['data[email]'];Firstname:firstname,name:@['data[merges][FNAME]'];Lastname:lastname:@['data[merges][LNAME]']",
    ),
    ("formIoTrigger", "open:;whole:"),
    ("wufooTrigger", "open:;whole:"),
    ("hubspotTrigger", "-Contact:id,contact:contactId;-Company:company:companyId;-Deal:deal:dealId"),
    (
        "googleCalendarTrigger",
        "Title:title,name,event:summary;Start:date,time:(@.start.dateTime ?? @.start.date);Link:link,url:htmlLink;-Location:location:location",
    ),
    (
        "errorTrigger",
        "Workflow:workflow,name:workflow.name;Error:error,message,text:execution.error.message;Node:node:execution.lastNodeExecuted;Execution:link,url:execution.url",
    ),
    ("mqttTrigger", "Message:message,text,data:message;-Topic:topic:topic"),
    ("kafkaTrigger", "Message:message,text,data:message;-Topic:topic:topic"),
    ("rabbitmqTrigger", "Message:message,text,data:content"),
    ("amqpTrigger", "Message:message,text,data:body"),
    ("redisTrigger", "Message:message,text,data:message;-Channel:channel:channel"),
    ("localFileTrigger", "Path:file,name,path:path;-Event:event:event"),
    ("googleBusinessProfileTrigger", "Rating:rating,score:starRating;Comment:comment,text,review:comment;-Name:name:reviewer.displayName"),
    (
        "youTube.video.getAll",
        "Title:title,name,video:snippet.title;Link:link,url:'https://www.youtube.com/watch?v=' + @.id.videoId;-Id:id:id.videoId",
    ),
    ("hackerNews.all.getAll", "Title:title,name,article:title;Link:link,url:url;-Author:author:author"),
    ("reddit.post.getAll", "Title:title,name,post:title;Link:link,url:url"),
    ("twitter.tweet.search", "Text:text,tweet,message:text;-Id:id:id"),
    ("openWeatherMap.currentWeather", "Weather:weather,text:weather[0].description;Temperature:temperature:main.temp"),
    (
        "openWeatherMap.5DayForecast",
        "Weather:weather,forecast,text:list.slice(0, 8).map(part => part.dt_txt + ': ' + part.weather[0].description + ', ' + part.main.temp).join('\\n');-Temperature:temperature:list[0].main.temp",
    ),
    ("gmail.message.getAll", "From:sender,address,mail:From;Subject:title,subject:Subject;-Text:text,message:snippet"),
    ("microsoftOutlook.message.getAll", "From:sender,address,mail:from;Subject:title,subject:subject;-Text:text,message:bodyPreview"),
    (
        "googleCalendar.event.getAll",
        "Title:title,name,event:summary;Start:date,time:(@.start.dateTime ?? @.start.date);-Link:link,url:htmlLink",
    ),
    ("microsoftOutlook.event.getAll", "Title:title,name,event:subject;Start:date,time:start.dateTime"),
    ("github.repository.getIssues", "Title:title,issue,name:title;Link:link,url:html_url"),
    ("github.repository.getPullRequests", "Title:title,name,pullrequest:title;Link:link,url:html_url"),
    (
        "jira.issue.getAll",
        "Key:key,number:key;Summary:title,issue,name,summary:fields.summary;-Status:status:fields.status.name;-Priority:priority:@.fields.priority?.name",
    ),
    ("linear.issue.getAll", "Title:title,issue,name:title;Link:link,url:url"),
    ("todoist.task.getAll", "Task:task,title,name,text:content;-Due:date:@.due?.date"),
    ("trello.list.getCards", "Card:card,title,name:name;Link:link,url:shortUrl"),
    ("notion.databasePage.getAll", "Name:name,title,page,task:name;Link:link,url:url"),
    ("hunter.emailVerifier", "Result:result,status:status;Score:score:score"),
    (
        "clearbit.person.enrich",
        "Name:name:name.fullName;Title:title,job,role,jobtitle:employment.title;Company:company:employment.name;-Location:location:location",
    ),
    ("clearbit.company.enrich", "Name:name,company:name;Domain:website:domain;-Industry:category,industry:category.industry"),
    (
        "googleCloudNaturalLanguage.document.analyzeSentiment",
        "Score:score,sentiment:documentSentiment.score;Magnitude:magnitude:documentSentiment.magnitude",
    ),
    ("deepL.language.translate", "Text:text,translation,message:text"),
    ("googleTranslate.language.translate", "Text:text,translation,message:translatedText"),
    ("lingvaNex.translate", "Text:text,translation,message:translatedText"),
    (
        "hubspot.contact.getAll",
        "Email:mail,address,email,contact:@.properties.email?.value;Firstname:name:@.properties.firstname?.value;Lastname:lastname:@.properties.lastname?.value;Phone:phone:@.properties.phone?.value;Company:company:@.properties.company?.value",
    ),
    ("hubspot.contact.get", "Email:mail,address,email,contact:properties.email.value;Name:name:properties.firstname.value"),
    ("googleSheets.sheet.read", "open:;whole:"),
    ("postgres.select", "open:;whole:"),
    ("mySql.select", "open:;whole:"),
    ("supabase.row.getAll", "open:;whole:"),
    ("dataTable.row.get", "open:;whole:"),
    ("airtable.record.search", "open:;whole:"),
    ("mongoDb.document.find", "open:;whole:"),
    ("microsoftExcel.worksheet.readRows", "open:;whole:"),
    ("httpRequest", "open:;whole:"),
    ("chainLlm", "Text:text,summary,caption,reply,result,content,translation:text"),
    ("agent", "Text:text,summary,caption,reply,result,content,translation:output"),
    ("openAi.text.response", "Text:text,summary,caption,reply,result,content,translation:output[0].content[0].text"),
    ("openAi.audio.transcribe", "Text:text,transcript,message,result:text"),
];

impl Data {
    /// Returns what a node outputs. `kind` is its type in the compact form; `event` tells outputs of one trigger apart.
    pub(super) fn of(node: &str, kind: &str, event: Option<&str>) -> Self {
        let mut data = Self { node: node.to_owned(), ..Self::default() };
        let by_event = event.map(|event| format!("{kind}.{event}"));
        let find = |name: &str| OUTPUTS.iter().find(|(own, _)| *own == name).map(|(_, fields)| *fields);
        let fields = by_event.as_deref().and_then(find).or_else(|| find(kind));
        for part in fields.unwrap_or_default().split(';').filter(|part| !part.is_empty()) {
            if let Some(path) = part.strip_prefix("open:") {
                data.open = Some(path.to_owned());
            } else if let Some(path) = part.strip_prefix("whole:") {
                data.whole = path.to_owned();
            } else if let Some((label, rest)) = part.split_once(':')
                && let Some((words, path)) = rest.split_once(':')
            {
                data.fields.push(Field {
                    label: label.trim_start_matches('-').to_owned(),
                    words: words.split(',').map(str::to_owned).collect(),
                    path: path.to_owned(),
                    main: !label.starts_with('-'),
                });
            }
        }
        data
    }

    /// Returns the code that reads a field, without braces.
    pub(super) fn code(&self, path: &str) -> String {
        match path {
            "" => self.node.clone(),
            path if path.contains('@') => path.replace('@', &self.node),
            path => format!("{}.{path}", self.node),
        }
    }

    /// Returns the code of the object that an item is about.
    pub(super) fn object(&self) -> String {
        self.code(&self.whole)
    }

    /// Returns the field that a noun means.
    pub(super) fn field(&self, noun: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.words.iter().any(|word| word == noun))
    }

    /// Returns the code that reads what a noun means: a known field, or the field of that name where the user decides about names.
    pub(super) fn read(&self, noun: &str) -> Option<String> {
        let known = self.field(noun).map(|field| self.code(&field.path));
        known.or_else(|| {
            let open = self.open.as_ref()?;
            let name: String = noun.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            Some(self.code(&if open.is_empty() { name } else { format!("{open}.{name}") }))
        })
    }

    /// Returns the code of the address that mails of this item go to.
    pub(super) fn address(&self) -> Option<String> {
        let known = self.fields.iter().find(|field| field.words.iter().any(|word| word == "email"));
        known.map(|field| self.code(&field.path)).or_else(|| self.open.is_some().then(|| self.read("email")).flatten())
    }

    /// Returns a text about an item: the fields that are named, or the main ones, or all that there is.
    pub(super) fn text(&self, nouns: &[&str]) -> String {
        let named: Vec<&Field> = self.fields.iter().filter(|field| field.words.iter().any(|word| nouns.contains(&word.as_str()))).collect();
        let main: Vec<&Field> = self.fields.iter().filter(|field| field.main).collect();
        let fields = if named.len() > 1 { named } else { main };
        match fields.as_slice() {
            [] => {
                let object = self.object();
                format!(
                    "{{{{ Object.entries({object}).map(([key, value]) => key + ': ' + (typeof value === 'object' ? JSON.stringify(value) : value)).join('\\n') }}}}"
                )
            }
            [one] => format!("{{{{{}}}}}", self.code(&one.path)),
            fields => {
                fields.iter().map(|field| format!("{}: {{{{{}}}}}", field.label, self.code(&field.path))).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Returns the code of a text about one of many items, which the variable `item` holds.
    pub(super) fn line(&self, nouns: &[&str]) -> String {
        let named: Vec<&Field> = self.fields.iter().filter(|field| field.words.iter().any(|word| nouns.contains(&word.as_str()))).collect();
        let main: Vec<&Field> = self.fields.iter().filter(|field| field.main).collect();
        let fields = if named.len() > 1 { named } else { main };
        let read = |field: &&Field| if field.path.contains('@') { field.path.replace('@', "item") } else { format!("item.{}", field.path) };
        if fields.is_empty() {
            let object = if self.whole.is_empty() { "item".to_owned() } else { format!("item.{}", self.whole) };
            return format!(
                "Object.entries({object}).map(([key, value]) => key + ': ' + (typeof value === 'object' ? JSON.stringify(value) : value)).join(', ')"
            );
        }
        fields.iter().map(read).collect::<Vec<_>>().join(" + ' – ' + ")
    }

    /// Returns a title for an item.
    pub(super) fn title(&self) -> Option<String> {
        let shown = |field: &&Field| field.main || field.words.iter().any(|word| word == "title");
        let named = ["title", "name", "message"].iter().find_map(|noun| self.field(noun).filter(shown));
        named.map(|field| format!("{{{{{}}}}}", self.code(&field.path)))
    }
}
