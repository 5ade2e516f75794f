/** Workflows and their runs, as far as the console uses them. */

export interface WorkflowNode {
  id: string
  type: string
  name?: string
  config?: Record<string, unknown>
}

export interface WorkflowEdge {
  id?: string
  source: string
  target: string
  sourceHandle?: string
  condition?: string
}

export interface Workflow {
  id: string
  name: string
  description?: string
  nodes?: WorkflowNode[] | null
  edges?: WorkflowEdge[] | null
  inputSchema?: Record<string, unknown> | null
  outputSchema?: Record<string, unknown> | null
  config?: Record<string, unknown> | null
  status: string
  version: number
  updatedAt?: string
}

/** One thing that is wrong with a definition. */
export interface Problem {
  /** Where it is: "nodes[2].config.model". */
  field: string
  message: string
  nodeId?: string
}

export interface Failure {
  code: string
  message: string
  nodeId?: string
}

export interface Run {
  runId: string
  workflowId: string
  workflowName: string
  workflowVersion: number
  status: 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled'
  inputs: unknown
  outputs: unknown
  error?: Failure
  /** Milliseconds that it took, or has taken. */
  executionTime: number
  tokenUsage?: { total?: number }
  costUsd: number
  trigger: string
  originRunId?: string
  parentRunId?: string
  startedAt?: string | null
  finishedAt?: string | null
}

export interface Step {
  /** Node, and item of a loop: "each[3]". */
  id: string
  nodeId: string
  nodeType: string
  status: 'queued' | 'running' | 'completed' | 'failed' | 'skipped'
  attempt: number
  input?: unknown
  output?: unknown
  error?: Failure
  waitsFor?: 'time' | 'human' | 'child' | 'items'
  waitsUntil?: string | null
  childRunId?: string
  tokenUsage?: { total?: number }
  costUsd?: number
  durationMs: number
  startedAt?: string | null
  finishedAt?: string | null
}

export const ended = (status: string): boolean => status === 'completed' || status === 'failed' || status === 'cancelled'

/** How a node of a run stands. A node that waits runs as well; a node that was not come to may still be. */
export type NodeState = 'idle' | 'queued' | 'running' | 'waiting' | 'completed' | 'failed' | 'skipped' | 'cancelled'

export interface NodeRun {
  state: NodeState
  /** The step of the node itself; the items of a loop have theirs. */
  step: Step | undefined
  items: Step[]
  /** How many of its items have ended. */
  itemsDone: number
  durationMs: number
}

/** Folds the steps of a run into one state per node of its definition. */
export function nodesOfRun(ids: string[], steps: Step[], runStatus: Run['status']): Map<string, NodeRun> {
  const nodes = new Map<string, NodeRun>(ids.map((id) => [id, { state: 'idle', step: undefined, items: [], itemsDone: 0, durationMs: 0 }]))
  for (const step of steps) {
    const node = nodes.get(step.nodeId)
    if (!node) continue
    if (step.id === step.nodeId) node.step = step
    else node.items.push(step)
  }
  for (const node of nodes.values()) {
    node.itemsDone = node.items.filter((item) => item.status !== 'running' && item.status !== 'queued').length
    node.state = stateOf(node, runStatus)
    node.durationMs = node.step?.durationMs ?? 0
  }
  return nodes
}

function stateOf({ step, items }: NodeRun, runStatus: Run['status']): NodeState {
  const status = step?.status ?? (items.length ? 'running' : undefined)
  if (!status) return 'idle'
  // The end of a run ends what is open in it; that itself did nothing wrong.
  if (status === 'failed' && step?.error?.code === 'CANCELLED') return 'cancelled'
  if (status === 'completed' || status === 'failed' || status === 'skipped') return status
  // What was open when the run ended will not go on.
  if (ended(runStatus)) return 'cancelled'
  if (step?.waitsFor === 'human' || step?.waitsFor === 'time') return 'waiting'
  return status
}

/** What a person may decide at a human node, and what is asked. */
export function humanChoice(node: WorkflowNode): { prompt: string; decisions: string[] } {
  const { prompt, decisions } = node.config ?? {}
  const named = Array.isArray(decisions) ? decisions.filter((d): d is string => typeof d === 'string') : []
  return { prompt: typeof prompt === 'string' ? prompt : '', decisions: named.length ? named : ['approved', 'rejected'] }
}

/** Whether a run went along an edge: its source came to an end, by this way out of it, and its target was begun. */
export function wasTaken(edge: WorkflowEdge, nodes: Map<string, NodeRun> | undefined): boolean {
  const [source, target] = [nodes?.get(edge.source), nodes?.get(edge.target)]
  if (!source || !target || target.state === 'idle' || target.state === 'skipped') return false
  if (source.state === 'failed') return edge.sourceHandle === 'error'
  if (source.state !== 'completed') return false
  const way = wayOut(source.step?.output)
  return !edge.sourceHandle || way === undefined || edge.sourceHandle === way
}

/** The branch of a condition or the decision of a person, in what the node came to. */
function wayOut(output: unknown): string | undefined {
  if (typeof output !== 'object' || output === null) return undefined
  const { branch, decision } = output as { branch?: unknown; decision?: unknown }
  return [branch, decision].find((value) => typeof value === 'string') as string | undefined
}
