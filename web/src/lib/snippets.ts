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

/** JSON in which a value that fits on a line stands on one. */
export function compactJson(value: unknown, indent = '', width = 76): string {
  const line = spaced(value)
  if (indent.length + line.length <= width || typeof value !== 'object' || value === null) return line
  const inner = `${indent}  `
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  const parts = Array.isArray(value)
    ? value.map((item) => compactJson(item, inner, width))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${compactJson(item, inner, width)}`)
  return `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${indent}${close}`
}

function spaced(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`
  return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`).join(', ')}}`
}

/** Sends a body as JSON; texts in it hold no quotation marks of the shell. */
export function curlPost(base: string, path: string, body: unknown): string {
  return `curl ${base}${path} \\
  -H "Authorization: Bearer $STRATA_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '${compactJson(body, '  ')}'`
}

export const curlBudget = (base: string): string =>
  curlPost(base, '/api/v1/budgets', { name: 'Everything', scopeType: 'workspace', limitUsd: 50, period: 'monthly' })

export const curlAgent = (base: string): string =>
  curlPost(base, '/api/v1/agents', { name: 'opening-hours', status: 'active', model: builtInModel, instructions: 'You help customers. The shop opens at nine and closes at six.' })

export const curlWorkflow = (base: string): string =>
  curlPost(base, '/api/v1/workflows', {
    name: 'answer', status: 'active',
    nodes: [{ id: 'start', type: 'start' }, { id: 'answer', type: 'llm', config: { model: builtInModel, prompt: '{{inputs.question}}' } }, { id: 'end', type: 'end', config: { outputs: { answer: '{{nodes.answer.text}}' } } }],
    edges: [{ source: 'start', target: 'answer' }, { source: 'answer', target: 'end' }],
    inputSchema: { type: 'object', properties: { question: { type: 'string' } } },
  })

export const curlConnector = (base: string): string =>
  curlPost(base, '/v1/connectors', { name: 'churn data', type: 'aws-s3', s3: { bucket: 'my-bucket', region: 'eu-central-1', access_key_id: '…', secret_access_key: '…' } })

export const curlKnowledge = (base: string): string => curlPost(base, '/api/v1/datasets', { name: 'Handbook', description: 'What everybody should know' })

export const curlDocument = (base: string, id: string): string =>
  `curl ${base}/api/v1/datasets/${id}/upload \\
  -H "Authorization: Bearer $STRATA_API_KEY" \\
  -F files=@handbook.md`

export const curlMemory = (base: string): string => curlPost(base, '/v1/memory/internal/memories', { content: 'Prefers answers in German', user_id: 'user-1' })
