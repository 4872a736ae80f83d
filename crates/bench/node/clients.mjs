// The AWS clients that a delivery function needs.

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KMSClient } from "@aws-sdk/client-kms";
import { SQSClient } from "@aws-sdk/client-sqs";

export const dynamodb = new DynamoDBClient({});
export const kms = new KMSClient({});
export const sqs = new SQSClient({ md5: false, useQueueUrlAsEndpoint: false });
