import { clsx } from 'clsx'
import type { LucideIcon } from 'lucide-react'
import { Bot, BookOpen, Braces, CheckCheck, CircleDot, Clock, Flag, GitFork, Globe, Hand, Plug, Repeat, Rows3, Sparkles, Workflow as WorkflowIcon, Wrench } from 'lucide-react'
import { useEffect, useMemo, useRef } from 'react'
import type { NodeRun, NodeState, WorkflowEdge, WorkflowNode } from '@/lib/api/workflows'
import { wasTaken } from '@/lib/api/workflows'
import { duration } from '@/lib/format'
import { curve, layoutGraph } from '@/lib/graph-layout'

const sizes = { width: 196, height: 56, gapX: 28, gapY: 52, padding: 20 }

const icons: Record<string, LucideIcon> = {
  start: CircleDot, end: Flag, llm: Sparkles, agent: Bot, tool: Wrench, condition: GitFork, loop: Repeat, parallel: Rows3, http: Globe,
  knowledge: BookOpen, connector: Plug, human: Hand, transform: Braces, validation: CheckCheck, wait: Clock, workflow: WorkflowIcon,
}

/** Frame, and the dot that says it without colour being needed: its word is in the node's text. */
const looks: Record<NodeState, { box: string; dot: string; word: string }> = {
  idle: { box: 'border-line bg-surface text-ink-2', dot: 'bg-transparent ring-1 ring-line-strong', word: 'not yet' },
  queued: { box: 'border-line-strong bg-surface', dot: 'bg-ink-3', word: 'queued' },
  running: { box: 'border-accent bg-accent-soft', dot: 'bg-accent animate-pulse', word: 'running' },
  waiting: { box: 'border-warn bg-warn-soft', dot: 'bg-warn', word: 'waiting' },
  completed: { box: 'border-good/60 bg-surface', dot: 'bg-good', word: 'done' },
  failed: { box: 'border-bad bg-bad-soft', dot: 'bg-bad', word: 'failed' },
  skipped: { box: 'border-dashed border-line bg-surface text-ink-3', dot: 'bg-line-strong', word: 'skipped' },
  cancelled: { box: 'border-line-strong bg-sunken', dot: 'bg-ink-3', word: 'cancelled' },
}

const faulty = { box: 'border-bad bg-bad-soft', dot: 'bg-bad', word: 'to mend' }

const over = new Set<NodeState | undefined>(['completed', 'failed'])

interface Props {
  label: string
  nodes: WorkflowNode[]
  edges: WorkflowEdge[]
  /** How the nodes of a run stand; absent where the definition itself is shown. */
  states?: Map<string, NodeRun>
  /** How many faults each node has, where a definition is being written. */
  faults?: Map<string, number>
  selected: string
  onSelect: (id: string) => void
}

/** A workflow's nodes in layers from the top down: buttons over the lines between them. */
export function Graph({ label, nodes, edges, states, faults, selected, onSelect }: Props) {
  const layout = useMemo(() => layoutGraph(nodes.map((node) => node.id), edges, sizes), [nodes, edges])
  // Read from the top, as it is seen.
  const inOrder = useMemo(
    () =>
      nodes.toSorted((a, b) => {
        const [p, q] = [layout.nodes.get(a.id), layout.nodes.get(b.id)]
        return (p?.y ?? 0) - (q?.y ?? 0) || (p?.x ?? 0) - (q?.x ?? 0)
      }),
    [nodes, layout],
  )
  // Where there is no room for all of it, its middle is seen first: that is where it begins.
  const view = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (view.current) view.current.scrollLeft = (layout.width - view.current.clientWidth) / 2
  }, [layout.width])
  return (
    <div ref={view} className="max-h-[44rem] overflow-auto" role="region" aria-label={label} tabIndex={0}>
      <div className="relative mx-auto" style={{ width: layout.width, height: layout.height }}>
        <svg aria-hidden width={layout.width} height={layout.height} className="absolute inset-0">
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
              <path d="M0 0.5L7 4L0 7.5Z" fill="context-stroke" />
            </marker>
          </defs>
          {edges.map((edge, index) => {
            const points = layout.edges[index] ?? []
            const passed = wasTaken(edge, states)
            return (
              <path
                key={`${edge.source}-${edge.target}-${edge.sourceHandle ?? index}`}
                d={curve(points)}
                fill="none"
                stroke={passed ? 'var(--accent)' : 'var(--line-strong)'}
                strokeWidth={passed ? 2 : 1.5}
                strokeDasharray={states?.get(edge.target)?.state === 'skipped' ? '4 4' : undefined}
                markerEnd="url(#arrow)"
              />
            )
          })}
        </svg>
        {edges.map((edge, index) => {
          const [from, to] = layout.edges[index] ?? []
          const word = edge.sourceHandle ?? edge.condition
          if (!from || !to || !word) return null
          return (
            <span
              key={`${edge.source}-${edge.target}-${edge.sourceHandle ?? index}`}
              aria-hidden
              title={edge.condition}
              className="absolute max-w-32 -translate-x-1/2 -translate-y-1/2 truncate rounded bg-surface px-1 text-[11px] text-ink-3"
              style={{ left: (from.x + to.x) / 2, top: (from.y + to.y) / 2 }}
            >
              {word}
            </span>
          )
        })}
        <ul aria-label="Nodes">
          {inOrder.map((node) => {
            const at = layout.nodes.get(node.id)
            return (
              <li key={node.id} className="absolute" style={{ left: at?.x, top: at?.y, width: sizes.width, height: sizes.height }}>
                <NodeBox node={node} run={states?.get(node.id)} faults={faults?.get(node.id) ?? 0} selected={node.id === selected} onSelect={() => onSelect(node.id)} />
              </li>
            )
          })}
        </ul>
      </div>
    </div>
  )
}

interface NodeBoxProps {
  node: WorkflowNode
  run: NodeRun | undefined
  faults: number
  selected: boolean
  onSelect: () => void
}

function NodeBox({ node, run, faults, selected, onSelect }: NodeBoxProps) {
  const Icon = icons[node.type] ?? Braces
  const look = run ? looks[run.state] : faults > 0 ? faulty : undefined
  return (
    <button
      type="button"
      aria-pressed={selected}
      onClick={onSelect}
      data-state={run?.state}
      className={clsx(
        'flex size-full items-center gap-2.5 rounded-[10px] border px-3 text-left transition-colors hover:border-ink-3',
        look?.box ?? 'border-line-strong bg-surface',
        selected && 'ring-2 ring-accent',
      )}
    >
      <Icon aria-hidden className="size-4 shrink-0 text-ink-3" />
      <span className="min-w-0 flex-1">
        <span className="block truncate leading-tight font-medium">{node.name ?? node.id}</span>
        <span className="tabular block truncate text-xs text-ink-3">{run ? note(node, run) : faults > 0 ? `${node.type} · ${faults} ${look?.word}` : node.type}</span>
      </span>
      {look && <span aria-hidden className={clsx('size-2 shrink-0 rounded-full', look.dot)} />}
    </button>
  )
}

/** "llm · done · 1.2 s", "loop · running · 3 of 7". */
function note(node: WorkflowNode, run: NodeRun): string {
  const parts = [node.type, looks[run.state].word]
  if (run.items.length) parts.push(`${run.itemsDone} of ${run.items.length}`)
  else if (over.has(run.state)) parts.push(duration(run.durationMs))
  return parts.join(' · ')
}
