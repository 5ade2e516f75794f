import { Pencil, Play } from 'lucide-react'
import { useState } from 'react'
import type { Run } from '@/lib/api/workflows'
import { ended } from '@/lib/api/workflows'
import { ago, duration, timestamp, usd } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { PageHeader, Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Select } from '@/ui/form'
import { JsonView } from '@/ui/json'
import { Cell, Head, MoreButton, rowClass, Table, Trail } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { Graph } from './graph'
import { StartDialog } from './start-dialog'
import { useRuns, useWorkflow } from './use-workflows'
import { workflowLink } from './workflows-screen'

const statuses = ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled']

/** One workflow: its definition as a graph, and its runs. */
export function WorkflowView({ id }: { id: string }) {
  const workflow = useWorkflow(id)
  useTitle(workflow.data?.name ?? 'Workflow')
  const { query } = useRoute()
  const [starting, setStarting] = useState(false)
  const found = workflow.data
  const selected = query.get('node') ?? ''
  const node = found?.nodes?.find((candidate) => candidate.id === selected)
  return (
    <div className="space-y-5">
      <Trail steps={[{ to: 'workflows', label: 'Workflows' }]} />
      {workflow.isError && <ErrorState error={workflow.error} onRetry={() => void workflow.refetch()} />}
      {workflow.isPending && <SkeletonRows rows={6} />}
      {found && (
        <>
          <PageHeader title={found.name} lead={found.description || `Version ${found.version}`}>
            <StateBadge state={found.status} />
            <Button onClick={() => navigate(`${workflowLink(found.id)}&edit=1`)}>
              <Pencil /> Edit
            </Button>
            <Button look="primary" disabled={found.status === 'archived'} onClick={() => setStarting(true)}>
              <Play /> Run
            </Button>
          </PageHeader>
          <div className={node ? 'grid gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]' : ''}>
            <Panel title="Definition" aside={<span className="text-[13px] text-ink-3">Version {found.version}</span>}>
              {found.nodes?.length ? (
                <Graph
                  label={`Graph of ${found.name}`}
                  nodes={found.nodes}
                  edges={found.edges ?? []}
                  selected={selected}
                  onSelect={(next) => setQuery({ node: next === selected ? '' : next })}
                />
              ) : (
                <p className="px-4 pb-4 text-ink-3">It has no nodes yet.</p>
              )}
            </Panel>
            {node && (
              <Panel title={node.name ?? node.id} aside={<span className="font-mono text-xs text-ink-3">{node.type}</span>}>
                <div className="p-4 pt-2">
                  <JsonView label="configuration as JSON" value={node.config ?? {}} />
                </div>
              </Panel>
            )}
          </div>
          <Runs id={found.id} />
          {starting && <StartDialog workflow={found} onClose={() => setStarting(false)} />}
        </>
      )}
    </div>
  )
}

function Runs({ id }: { id: string }) {
  const { query } = useRoute()
  const status = query.get('status') ?? ''
  const runs = useRuns(id, status)
  useLive('workflow_run.*', ['workflow-runs', id])
  const filter = (
    <Select aria-label="Status of runs" value={status} onChange={(e) => setQuery({ status: e.target.value })} className="w-40">
      <option value="">All</option>
      {statuses.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </Select>
  )
  return (
    <Panel title="Runs" aside={filter}>
      {runs.isError && (
        <div className="p-4">
          <ErrorState compact error={runs.error} onRetry={() => void runs.refetch()} />
        </div>
      )}
      {runs.isPending && <SkeletonRows rows={3} className="p-4" />}
      {runs.isSuccess && runs.items.length === 0 && (
        <EmptyState icon={<Play />} title="No runs">
          <p>{status ? 'None is in this state.' : 'Run it here, or with POST …/execute.'}</p>
        </EmptyState>
      )}
      {runs.items.length > 0 && (
        <div className="pt-1">
          <Table label="Runs">
            <Head columns={[{ name: 'Run' }, { name: 'Status' }, { name: 'Started' }, { name: 'Took', right: true }, { name: 'Tokens', right: true }, { name: 'Cost', right: true }]} />
            <tbody>
              {runs.items.map((run) => (
                <RunRow key={run.runId} id={id} run={run} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={runs} />
        </div>
      )}
    </Panel>
  )
}

function RunRow({ id, run }: { id: string; run: Run }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="px-4 py-2.5 text-left font-normal">
        <Link to={workflowLink(id, run.runId)} className="font-mono text-[13px] after:absolute after:inset-0">
          {run.runId}
        </Link>
        {run.error && <span className="block max-w-96 truncate text-[13px] text-bad">{run.error.message}</span>}
      </th>
      <Cell>
        <StateBadge state={run.status} />
      </Cell>
      <Cell className="whitespace-nowrap text-ink-3">
        {run.startedAt && (
          <time dateTime={run.startedAt} title={timestamp(run.startedAt)}>
            {ago(run.startedAt, Date.now())}
          </time>
        )}
      </Cell>
      <Cell right>{ended(run.status) ? duration(run.executionTime) : '–'}</Cell>
      <Cell right>{run.tokenUsage?.total ?? 0}</Cell>
      <Cell right>{usd(run.costUsd)}</Cell>
    </tr>
  )
}
