// Delivers webhooks as the AWS sample does: one message after the other, `https.request`,
// one SDK call for each thing that is read or written. At its best: connections to
// endpoints and to AWS are kept, and the data key is asked for once.
//
// It does what `deliver-webhook` does for a delivery that is due: reads it and its message
// and subscription, opens the secret, signs, sends, queues a next attempt, records.

import { createDecipheriv, createHmac } from "node:crypto";
import https from "node:https";
import { gunzipSync } from "node:zlib";

import { BatchGetItemCommand, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { DecryptCommand } from "@aws-sdk/client-kms";
import { SendMessageCommand } from "@aws-sdk/client-sqs";

import { dynamodb, kms, sqs } from "./clients.mjs";
import { run } from "./runtime.mjs";

const table = process.env.TABLE_NAME;
const timeoutMs = Number(process.env.REQUEST_TIMEOUT_SECONDS) * 1000;
const agent = new https.Agent({
  keepAlive: true,
  // Names are resolved by the run's own name server otherwise; here by none.
  lookup: (name, options, done) => done(null, options.all ? [{ address: "127.0.0.1", family: 4 }] : "127.0.0.1", 4),
});

let dataKey;

async function key() {
  if (!dataKey) {
    const { Item } = await dynamodb.send(
      new GetItemCommand({ TableName: table, Key: { pk: { S: "DATA_KEY" }, sk: { S: "0000000001" } }, ConsistentRead: true }),
    );
    const { Plaintext } = await kms.send(
      new DecryptCommand({
        CiphertextBlob: Item.wrapped.B,
        EncryptionContext: { purpose: "subscription-secrets", installation: process.env.INSTALLATION_ID },
      }),
    );
    dataKey = Plaintext;
  }
  return dataKey;
}

async function open(subscription) {
  const { v, s } = subscription.secrets.L[0].M;
  const sealed = Buffer.from(s.B);
  const decipher = createDecipheriv("aes-256-gcm", await key(), sealed.subarray(0, 12));
  decipher.setAAD(Buffer.from(`${subscription.customerId.S}\0${subscription.id.S}\0${v.N}\0v1`));
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
}

function post(url, headers, body) {
  return new Promise((resolve) => {
    const request = https.request(url, { method: "POST", headers, agent, timeout: timeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode, excerpt: text.slice(0, 512) }));
      response.on("error", (error) => resolve({ status: response.statusCode, error: error.message }));
    });
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.on("error", (error) => resolve({ error: error.message }));
    request.end(body);
  });
}

async function deliver(record) {
  const { deliveryId, attempt } = JSON.parse(record.body);
  const [, message, subscription] = deliveryId.split("_");
  const pk = { S: `MESSAGE#msg_${message}` };
  const deliveryKey = { pk, sk: { S: `DELIVERY#sub_${subscription}` } };
  const { Responses } = await dynamodb.send(
    new BatchGetItemCommand({
      RequestItems: { [table]: { ConsistentRead: true, Keys: [deliveryKey, { pk, sk: { S: "MESSAGE" } }] } },
    }),
  );
  const stored = Responses[table].find((item) => item.sk.S === "MESSAGE");
  const delivery = Responses[table].find((item) => item.sk.S !== "MESSAGE");
  if (delivery.status.S !== "pending" || (delivery.attempts?.L.length ?? 0) >= attempt) return;
  const { Item } = await dynamodb.send(
    new GetItemCommand({
      TableName: table,
      Key: { pk: { S: `CUSTOMER#${delivery.customerId.S}` }, sk: { S: `SUBSCRIPTION#sub_${subscription}` } },
      ConsistentRead: true,
    }),
  );

  // What is stored is the event or its detail.
  const payload = stored.payload.S;
  const json = payload.startsWith("{") ? payload : gunzipSync(Buffer.from(payload, "base64")).toString();
  const parsed = JSON.parse(json);
  const data = parsed.detail ?? parsed;
  const body = JSON.stringify({ type: stored.eventType.S, timestamp: stored.time.S, data });
  const id = stored.id.S;
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", await open(Item)).update(`${id}.${timestamp}.${body}`).digest("base64");
  const started = Date.now();
  const answer = await post(
    Item.url.S,
    {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": "webhooks-node/1",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    },
    body,
  );

  const succeeded = answer.status >= 200 && answer.status < 300;
  if (!succeeded) {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: process.env.DELIVERY_QUEUE_URL,
        MessageBody: JSON.stringify({ v: 1, deliveryId, attempt: attempt + 1 }),
        DelaySeconds: 5,
      }),
    );
    console.log(JSON.stringify({ level: "INFO", message: "attempt failed", deliveryId, attempt, error: answer.error }));
  }
  const made = { n: { N: String(attempt) }, t: { N: String(started) }, d: { N: String(Date.now() - started) }, o: { S: succeeded ? "succeeded" : "failed" } };
  if (answer.status) made.s = { N: String(answer.status) };
  if (answer.error) made.e = { S: answer.error };
  if (answer.excerpt) made.x = { S: answer.excerpt };
  await dynamodb.send(
    new UpdateItemCommand({
      TableName: table,
      Key: deliveryKey,
      // A new delivery has no list of attempts.
      UpdateExpression: "SET attempts = list_append(if_not_exists(attempts, :none), :attempt), #status = :status",
      ConditionExpression: "#status = :pending AND (size(attempts) = :made OR attribute_not_exists(attempts))",
      ExpressionAttributeNames: { "#status": "status" },
      ExpressionAttributeValues: {
        ":attempt": { L: [{ M: made }] },
        ":none": { L: [] },
        ":status": { S: succeeded ? "succeeded" : "pending" },
        ":pending": { S: "pending" },
        ":made": { N: String(attempt - 1) },
      },
    }),
  );
}

await run(async (event) => {
  const batchItemFailures = [];
  for (const record of event.Records) {
    try {
      await deliver(record);
    } catch (error) {
      console.error(JSON.stringify({ level: "ERROR", message: String(error.stack) }));
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures };
});
