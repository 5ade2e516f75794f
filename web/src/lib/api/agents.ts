/** Agents and their runs, as far as the console uses them. */

export interface Agent {
  id: string
  name: string
  description?: string
  instructions?: string
  model?: string
  temperature?: number | null
  maxTokens?: number | null
  tools?: string[] | null
  datasetIds?: string[] | null
  memoryProvider?: string
  inputSchema?: Record<string, unknown> | null
  outputSchema?: Record<string, unknown> | null
  config?: Record<string, unknown> | null
  tags?: string[] | null
  status: string
  version: number
  updatedAt?: string
}

/** What is written of an agent; null takes a value away. */
export type AgentDraft = Omit<Agent, 'id' | 'version' | 'updatedAt'>

/** The tools that need nothing to be set up, by what they do. */
export const builtInTools = [
  { value: 'calculator', label: 'Calculator', hint: 'Works out arithmetic' },
  { value: 'current_time', label: 'Current time', hint: 'In any time zone' },
  { value: 'http_get', label: 'HTTP GET', hint: 'Reads a public web address' },
]

export interface Fault {
  code: string
  message: string
}

export interface AgentRun {
  id: string
  agentId: string
  agentVersion: number
  input: unknown
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'
  output: unknown
  error: Fault | null
  tokenUsage?: { total?: number }
  costUsd: number
  /** From its start to its end; 0 while it goes on. */
  latencyMs: number
  stepCount: number
  forkedFrom: { runId: string; step: number } | null
  startedAt: string | null
  finishedAt: string | null
}

export interface AgentStep {
  id: string
  /** From 1, in the order of the run. */
  index: number
  type: string
  /** Model or tool. */
  name: string
  status: 'running' | 'completed' | 'failed' | 'skipped'
  input: unknown
  output: unknown
  error: Fault | null
  tokenUsage?: { prompt?: number; completion?: number; total?: number }
  costUsd: number
  latencyMs: number
  startedAt: string | null
}

/** The message of an input or output, where it is one; else its JSON. */
export function messageOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'object') {
    const { message, content, messages } = value as { message?: unknown; content?: unknown; messages?: unknown }
    for (const text of [message, content]) if (typeof text === 'string') return text
    if (Array.isArray(messages)) return messageOf(messages.at(-1))
  }
  return JSON.stringify(value)
}

export interface ToolCall {
  name: string
  arguments: string
}

/** The tools that a model asked for in its answer. */
export function toolCallsOf(output: unknown): ToolCall[] {
  if (typeof output !== 'object' || output === null) return []
  const fields = output as { toolCalls?: unknown; tool_calls?: unknown }
  const calls = fields.toolCalls ?? fields.tool_calls
  if (!Array.isArray(calls)) return []
  return (calls as Record<string, unknown>[]).map((call) => {
    const named = (typeof call.function === 'object' && call.function !== null ? call.function : call) as { name?: unknown; arguments?: unknown }
    return { name: String(named.name ?? ''), arguments: typeof named.arguments === 'string' ? named.arguments : JSON.stringify(named.arguments ?? {}) }
  })
}
