/**
 * Definitions as texts: YAML, of which JSON is a part, with the line of every
 * path, so that what a server says of a path can be shown where it was written.
 */
import type { Document } from 'yaml'
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { WorkflowEdge, WorkflowNode } from './api/workflows'

export type Format = 'yaml' | 'json'

export interface Fault {
  /** Where in the definition; "" when it is about the text itself. */
  path: string
  message: string
  /** From 1. */
  line: number
}

export interface Definition {
  /** What the text says; undefined when it cannot be read. */
  value: Record<string, unknown> | undefined
  faults: Fault[]
  /** Line of a path like "nodes[2].config.model", or of as much of it as there is. */
  lineOf: (path: string) => number
}

/** Aliases that expand more than this are refused: a small text must not become a huge value. */
const maxAliases = 100

export function readDefinition(text: string): Definition {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineOf = (path: string) => lines.linePos(offsetOf(document, path)).line
  if (document.errors.length > 0) {
    return { value: undefined, lineOf, faults: document.errors.map((error) => ({ path: '', message: error.message, line: lines.linePos(error.pos[0]).line })) }
  }
  const refused = (message: string): Definition => ({ value: undefined, lineOf, faults: [{ path: '', message, line: 1 }] })
  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases })
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refused('A definition is an object with nodes and edges.')
    return { value: value as Record<string, unknown>, faults: [], lineOf }
  } catch (cause) {
    return refused(cause instanceof Error ? cause.message : String(cause))
  }
}

const plain = (key: string) => key.replaceAll('_', '').toLowerCase()

/** Keys may be spelled as the server says them or as the author did: timeout_ms, timeoutMs. */
function offsetOf(document: Document, path: string): number {
  let at: unknown = document.contents
  let offset = 0
  for (const part of path.split(/[.[\]]+/).filter(Boolean)) {
    if (isSeq(at)) {
      at = at.items[Number(part)]
    } else if (isMap(at)) {
      const pair = at.items.find(({ key }) => isScalar(key) && plain(String(key.value)) === plain(part))
      if (isScalar(pair?.key) && pair.key.range) offset = pair.key.range[0]
      at = pair?.value
    } else break
    const range = (at as { range?: [number, number, number] | null } | undefined)?.range
    // What has a key is shown at the key: its value may begin a line later.
    if (range && /^\d+$/.test(part)) offset = range[0]
    if (at === undefined) break
  }
  return offset
}

export { stringify as writeYaml } from 'yaml'

export interface Drawing {
  nodes: WorkflowNode[]
  edges: WorkflowEdge[]
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const words = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

/** What of a definition can be drawn, however unfinished it is. */
export function drawingOf(value: Record<string, unknown>): Drawing {
  const nodes = new Map<string, WorkflowNode>()
  for (const node of Array.isArray(value.nodes) ? value.nodes : []) {
    if (!isObject(node)) continue
    const id = words(node.id)
    if (!id || nodes.has(id)) continue
    const name = words(node.name)
    nodes.set(id, { id, type: words(node.type) ?? '?', ...(name && { name }) })
  }
  const edges: WorkflowEdge[] = []
  for (const edge of Array.isArray(value.edges) ? value.edges : []) {
    if (!isObject(edge)) continue
    const [source, target, condition] = [words(edge.source), words(edge.target), words(edge.condition)]
    const handle = words(edge.sourceHandle) ?? words(edge.source_handle)
    if (!source || !target || !nodes.has(source) || !nodes.has(target)) continue
    edges.push({ source, target, ...(handle && { sourceHandle: handle }), ...(condition && { condition }) })
  }
  return { nodes: [...nodes.values()], edges }
}
