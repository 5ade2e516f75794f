import { useState } from 'react'
import type { NodeRun, Step, WorkflowNode } from '@/lib/api/workflows'
import { duration, integer, timestamp, usd } from '@/lib/format'
import { Link } from '@/lib/router'
import { Panel } from '@/ui/bits'
import { ErrorState } from '@/ui/feedback'
import { Select } from '@/ui/form'
import { JsonView } from '@/ui/json'
import { Facts } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'

/** What a run did for one node: what it worked on and what came of it. */
export function StepView({ node, run }: { node: WorkflowNode; run: NodeRun }) {
  const [item, setItem] = useState('')
  const step = run.items.find((candidate) => candidate.id === item) ?? run.step
  return (
    <Panel title={node.name ?? node.id} aside={<StateBadge state={run.state === 'idle' ? 'not run' : run.state} />}>
      <div className="space-y-4 p-4 pt-2">
        {run.items.length > 0 && (
          <Select aria-label="Item" value={item} onChange={(e) => setItem(e.target.value)}>
            <option value="">All {run.items.length} items</option>
            {run.items.map(({ id, status }) => (
              <option key={id} value={id}>
                {id} · {status}
              </option>
            ))}
          </Select>
        )}
        {step ? <StepFacts step={step} /> : <p className="text-ink-3">The run has not come to it.</p>}
      </div>
    </Panel>
  )
}

function StepFacts({ step }: { step: Step }) {
  return (
    <>
      <Facts
        className="xl:grid-cols-3!"
        facts={[
          ['Took', duration(step.durationMs)],
          ['Tries', step.attempt === 0 ? 'kept' : integer(step.attempt)],
          ['Type', step.nodeType || '–'],
          ['Tokens', integer(step.tokenUsage?.total ?? 0)],
          ['Cost', usd(step.costUsd ?? 0)],
          ['Waits for', step.waitsFor ?? '–'],
        ]}
      />
      {step.waitsUntil && <p className="text-[13px] text-ink-3">Until {timestamp(step.waitsUntil)}</p>}
      {step.childRunId && (
        <p className="text-[13px]">
          Calls run <ChildRun id={step.childRunId} />
        </p>
      )}
      {step.error && <ErrorState compact error={new Error(step.error.message)} />}
      {step.input !== undefined && (
        <div className="space-y-1.5">
          <h3 className="text-[13px] text-ink-3">Input</h3>
          <JsonView label="input" value={step.input} />
        </div>
      )}
      {step.output !== undefined && (
        <div className="space-y-1.5">
          <h3 className="text-[13px] text-ink-3">Output</h3>
          <JsonView label="output" value={step.output} />
        </div>
      )}
    </>
  )
}

/** Runs of agents have a page by their id alone. */
function ChildRun({ id }: { id: string }) {
  if (!id.startsWith('arun_')) return <span className="font-mono">{id}</span>
  return (
    <Link to={`agents?run=${encodeURIComponent(id)}`} className="font-mono text-accent underline underline-offset-4">
      {id}
    </Link>
  )
}
