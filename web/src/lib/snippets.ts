/** First calls with the real base URL, to be pasted as they are. */

/** The built-in model: it answers without a provider and without a network. */
export const builtInModel = 'strata/extract-1'

export function curlChat(base: string, model = builtInModel): string {
  return `curl ${base}/openai/v1/chat/completions \\
  -H "Authorization: Bearer $STRATA_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${model}",
    "messages": [{"role": "user", "content": "What is an event log?"}]
  }'`
}

export function pythonChat(base: string, model = builtInModel): string {
  return `import os
from openai import OpenAI

client = OpenAI(base_url="${base}/openai/v1", api_key=os.environ["STRATA_API_KEY"])

stream = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "What is an event log?"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")`
}

export function nodeChat(base: string, model = builtInModel): string {
  return `import OpenAI from 'openai'

const client = new OpenAI({ baseURL: '${base}/openai/v1', apiKey: process.env.STRATA_API_KEY })

const stream = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'What is an event log?' }],
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')`
}

export function curlBudget(base: string): string {
  return `curl ${base}/api/v1/budgets \\
  -H "Authorization: Bearer $STRATA_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"name": "Everything", "scopeType": "workspace", "limitUsd": 50, "period": "monthly"}'`
}
