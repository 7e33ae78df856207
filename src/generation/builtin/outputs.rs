//! The fields of the outputs of node types.

/// Fields of outputs: node type with resource and operation, then `label:words:path`, in the order in which messages show them; a label
/// with `-` is only shown if it is named. `open:` and `whole:` are paths.
pub(super) const OUTPUTS: &[(&str, &str)] = &[
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
        "Card:card,title,name:action.data.card.name;Board:board:action.data.board.name;-List:list:action.data.list.name;Link:link,url:'https://trello.com/c/' + @.action.data.card.shortLink;-Action:action:action.type",
    ),
    (
        "jiraTrigger.comment_created",
        "Key:key,number:issue.key;Comment:comment,text,message:comment.body;-Author:author,user:comment.author.displayName;-Summary:title,summary,name,issue:issue.fields.summary;-Project:project:issue.fields.project.key;-Projectname:projectname:issue.fields.project.name",
    ),
    (
        "jiraTrigger",
        "Key:key,number,schlussel,cle,clave:issue.key;Summary:title,summary,name,issue:issue.fields.summary;-Status:status:issue.fields.status.name;-Text:text:issue.fields.description;-Priority:priority:@.issue.fields.priority?.name;-Labels:label,tag:(@.issue.fields.labels ?? []).join(', ');-Project:project:issue.fields.project.key;-Projectname:projectname:issue.fields.project.name;-Type:type:issue.fields.issuetype.name;-Reporter:reporter:issue.fields.reporter.displayName;-Assignee:assignee:@.issue.fields.assignee?.displayName",
    ),
    (
        "linearTrigger",
        "Title:title,issue,name:data.title;Link:link,url:url;-Text:text:data.description;-Team:team:data.team.name;-Priority:priority:data.priorityLabel;-Labels:label,tag:(@.data.labels ?? []).map(label => label.name).join(', ');-Action:action:action",
    ),
    (
        "stripeTrigger.customer.created",
        "Name:name,customer:data.object.name;Email:mail,address,email:data.object.email;-Phone:phone:data.object.phone;-Id:id:data.object.id",
    ),
    (
        "stripeTrigger.customer.subscription.created",
        "Customer:customer:data.object.customer;Status:status:data.object.status;-Id:id:data.object.id",
    ),
    (
        "stripeTrigger.customer.subscription.deleted",
        "Customer:customer:data.object.customer;Status:status:data.object.status;-Id:id:data.object.id",
    ),
    (
        "stripeTrigger.invoice.paid",
        "Invoice:number,invoice:data.object.number;Amount:amount,price,payment:@.data.object.amount_paid / 100;Currency:currency:data.object.currency;Email:mail,address,email:data.object.customer_email;-Name:name,customer:data.object.customer_name;-Link:link,url:data.object.hosted_invoice_url;-Id:id:data.object.id",
    ),
    (
        "stripeTrigger.checkout.session.completed",
        "Amount:amount,price,payment:@.data.object.amount_total / 100;Currency:currency:data.object.currency;Email:mail,address,email:data.object.customer_details.email;-Name:name,customer:data.object.customer_details.name;-Id:id:data.object.id",
    ),
    (
        "stripeTrigger.charge.dispute.created",
        "Amount:amount,price,payment:@.data.object.amount / 100;Currency:currency:data.object.currency;Reason:reason:data.object.reason;-Status:status:data.object.status;-Id:id:data.object.id",
    ),
    (
        "stripeTrigger",
        "Amount:amount,price,payment:@.data.object.amount / 100;Currency:currency:data.object.currency;Email:mail,address,email:(@.data.object.billing_details.email ?? @.data.object.receipt_email);-Name:name,customer:data.object.billing_details.name;-Reason:reason,error:data.object.failure_message;-Status:status:data.object.status;-Link:link,url:data.object.receipt_url;-Type:type:type;-Id:id:data.object.id",
    ),
    (
        "activeCampaignTrigger",
        "Email:mail,address,email:['contact[email]'];First name:firstname:['contact[first_name]'];Last name:lastname:['contact[last_name]'];-Phone:phone:['contact[phone]']",
    ),
    (
        "hubspot.contact.getAll",
        "Email:mail,address,email:properties.email?.value;First name:firstname:properties.firstname?.value;Last name:lastname:properties.lastname?.value;-Phone:phone:properties.phone?.value;-Company:company:properties.company?.value",
    ),
    (
        "shopify.order.getAll",
        "Order:order,number,name:name;Email:mail,address,email,customer:email;Total:amount,total,price:total_price;-Currency:currency:currency",
    ),
    ("kafkaTrigger", "Message:message,text,data:message;-Topic:topic:topic"),
    ("rabbitmqTrigger", "Message:message,text,data:content"),
    ("amqpTrigger", "Message:message,text,data:body"),
    ("redisTrigger", "Message:message,text,data:message;-Channel:channel:channel"),
    ("postgresTrigger", "open:payload;whole:payload"),
    (
        "mailchimpTrigger",
        "Email:mail,address,email:['data[email]'];First name:firstname,name:['data[merges][FNAME]'];Last name:lastname:['data[merges][LNAME]']",
    ),
    (
        "pipedriveTrigger",
        "Title:title,name,deal,person,lead,organization:(@.data.title ?? @.data.name);-Value:amount,price,value:data.value;-Currency:currency:data.currency;-Status:status:data.status;-Id:id:data.id",
    ),
    (
        "shopifyTrigger.customers/create",
        "Name:name,customer:(@.first_name + ' ' + @.last_name);Email:mail,address,email:email;-First name:firstname:first_name;-Last name:lastname:last_name;-Phone:phone:phone;-Id:id:id",
    ),
    ("shopifyTrigger.products/create", "Title:title,name,product:title;Price:price:variants[0].price;-Text:text:body_html;-Id:id:id"),
    ("shopifyTrigger.refunds/create", "Order:order,number:order_id;Note:note,text:note;-Id:id:id"),
    (
        "shopifyTrigger",
        "Order:order,number,name:name;Email:mail,address,email,customer:email;Total:amount,total,price:total_price;-Currency:currency:currency;-City:city,shippingcity:shipping_address.city;-Phone:phone:phone;-Id:id:id",
    ),
    (
        "wooCommerceTrigger",
        "Order:order,number:id;Email:mail,address,email,customer:billing.email;Total:amount,total,price:total;-Currency:currency:currency;-Phone:phone:billing.phone;-First name:firstname:billing.first_name;-Last name:lastname:billing.last_name;-City:city:billing.city;-Shippingcity:shippingcity:shipping.city;-Status:status:status",
    ),
    (
        "calendlyTrigger",
        "Name:name,customer:payload.name;Email:mail,address,email:payload.email;Start:date,time,starttime,event:payload.scheduled_event.start_time",
    ),
    ("calTrigger", "Title:title,name,event:title;Start:date,time,starttime:startTime;Email:mail,address,email:attendees[0].email"),
    ("typeformTrigger", "open:;whole:"),
    ("jotFormTrigger", "open:;whole:"),
    (
        "facebookLeadAdsTrigger",
        "Name:name,lead:data.full_name;Email:mail,address,email:data.email;-Phone:phone:data.phone_number;open:data;whole:data",
    ),
    ("formIoTrigger", "open:;whole:"),
    ("wufooTrigger", "open:;whole:"),
    ("hubspotTrigger", "-Contact:id,contact:contactId;-Company:company:companyId;-Deal:deal:dealId"),
    (
        "googleCalendarTrigger",
        "Title:title,name,event:summary;Start:date,time,starttime:(@.start.dateTime ?? @.start.date);Link:link,url:htmlLink;-Location:location:location",
    ),
    (
        "errorTrigger",
        "Workflow:workflow,name:workflow.name;Error:error,message,text:execution.error.message;Node:node:execution.lastNodeExecuted;Execution:link,url:execution.url",
    ),
    ("mqttTrigger", "Message:message,text,data:message;-Topic:topic:topic"),
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
        "Title:title,name,event:summary;Start:date,time,starttime:(@.start.dateTime ?? @.start.date);-Link:link,url:htmlLink",
    ),
    ("microsoftOutlook.event.getAll", "Title:title,name,event:subject;Start:date,time,starttime:start.dateTime"),
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
