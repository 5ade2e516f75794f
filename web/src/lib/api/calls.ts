/** One call of the inference log in the console's own words. */
export interface Call {
  id: string
  time: string
  status: 'success' | 'error'
  cancelled: boolean
  type: string
  model: string
  requestedModel: string
  user: string
  inputTokens: number
  outputTokens: number
  costUsd: number
  latencyMs: number
  firstTokenMs: number | undefined
  httpStatus: number | undefined
  errorCode: string
  error: string
  correlationId: string
  tags: string[]
  request: unknown
  response: unknown
  raw: Record<string, unknown>
}

/** Reads a row of /v1/inference-logs, whether amounts come in API or in storage units. */
export function toCall(row: Record<string, unknown>): Call {
  const text = (...keys: string[]) => String(pick(row, keys) ?? '')
  const number = (key: string) => Number(row[key] ?? 0)
  const scaled = (key: string, storageKey: string, perUnit: number) =>
    row[key] !== undefined ? Number(row[key]) : Number(row[storageKey] ?? 0) / perUnit
  return {
    id: text('id'),
    time: text('timestamp', 'started_at', 'created_at'),
    status: row.status === 'error' ? 'error' : 'success',
    cancelled: row.cancelled === true,
    type: text('type'),
    model: text('model'),
    requestedModel: text('requested_model'),
    user: text('user', 'user_id'),
    inputTokens: number('input_tokens'),
    outputTokens: number('output_tokens'),
    costUsd: scaled('cost_usd', 'cost_micro_usd', 1e6),
    latencyMs: scaled('latency_ms', 'latency_us', 1e3),
    firstTokenMs: scaled('ttft_ms', 'ttft_us', 1e3) || undefined,
    httpStatus: row.http_status === undefined ? undefined : Number(row.http_status),
    errorCode: text('error_code'),
    error: text('error'),
    correlationId: text('correlation_id'),
    tags: Array.isArray(row.tags) ? (row.tags as string[]) : [],
    request: payload(row.request),
    response: payload(row.response),
    raw: row,
  }
}

function pick(row: Record<string, unknown>, keys: string[]): unknown {
  return keys.map((key) => row[key]).find((value) => value !== undefined && value !== null && value !== '')
}

/** A payload may come as JSON or as a string that holds JSON. */
function payload(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? undefined
  try {
    return JSON.parse(value)
  } catch {
    return value || undefined
  }
}
