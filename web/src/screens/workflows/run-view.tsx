import { GitFork, RotateCcw, Square } from 'lucide-react'
import { useMemo, useState } from 'react'
import type { Run, Step, Workflow, WorkflowNode } from '@/lib/api/workflows'
import { ended, nodesOfRun } from '@/lib/api/workflows'
import { clock, day, duration, humanise, integer, timestamp, usd } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { Badge, PageHeader, Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Confirm } from '@/ui/confirm'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { JsonView } from '@/ui/json'
import { Facts, Trail } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { Graph } from './graph'
import { HumanForm } from './human-form'
import { StepView } from './step-view'
import { useDefinition, useRun, useRunCommands, useWorkflow } from './use-workflows'
import { workflowLink } from './workflows-screen'

/** One run, as the graph it goes through. */
export function RunView({ id, runId }: { id: string; runId: string }) {
  useTitle('Run')
  const workflow = useWorkflow(id)
  const run = useRun(id, runId)
  const open = !run.data || !ended(run.data.run.status)
  const feed = useLive('workflow_run.*', ['workflow-run', runId], { subject: runId, active: open })
  const failed = workflow.error ?? run.error
  return (
    <div className="space-y-5">
      <Trail
        steps={[
          { to: 'workflows', label: 'Workflows' },
          { to: workflowLink(id), label: workflow.data?.name ?? id },
        ]}
      />
      {failed && <ErrorState error={failed} onRetry={() => void Promise.all([workflow.refetch(), run.refetch()])} />}
      {(workflow.isPending || run.isPending) && !failed && <SkeletonRows rows={6} />}
      {workflow.data && run.data && <Shown workflow={workflow.data} run={run.data.run} steps={run.data.steps} live={feed === 'live'} />}
    </div>
  )
}

function Shown({ workflow, run, steps, live }: { workflow: Workflow; run: Run; steps: Step[]; live: boolean }) {
  const { query } = useRoute()
  const definition = useDefinition(workflow, run.workflowVersion)
  const nodes = useMemo(() => definition?.nodes ?? [], [definition])
  const states = useMemo(() => nodesOfRun(nodes.map((node) => node.id), steps, run.status), [nodes, steps, run.status])
  const waiting = nodes.filter((node) => states.get(node.id)?.state === 'waiting' && states.get(node.id)?.step?.waitsFor === 'human')
  const selected = query.get('node') ?? run.error?.nodeId ?? waiting[0]?.id ?? ''
  const node = nodes.find((candidate) => candidate.id === selected)
  const state = states.get(selected)
  const place = nodes.find((candidate) => candidate.id === run.error?.nodeId)
  return (
    <>
      <PageHeader title={`Run of ${run.workflowName || workflow.name}`} lead={<span className="font-mono text-xs">{run.runId}</span>}>
        {live && <Badge tone="good">Live</Badge>}
        <StateBadge state={run.status} />
        <Actions id={workflow.id} run={run} node={node} />
      </PageHeader>
      <RunFacts id={workflow.id} run={run} />
      {run.error?.message && <ErrorState error={new Error(place ? `${place.name || place.id}: ${run.error.message}` : run.error.message)} />}
      {waiting.map((human) => (
        <HumanForm key={human.id} workflow={workflow.id} run={run.runId} node={human} input={states.get(human.id)?.step?.input} />
      ))}
      <div className={node ? 'grid gap-4 xl:grid-cols-[minmax(0,1fr)_26rem]' : ''}>
        <Panel title="Graph" aside={<span className="text-[13px] text-ink-3">Version {run.workflowVersion}</span>}>
          <Graph
            label="Graph of the run"
            nodes={nodes}
            edges={definition?.edges ?? []}
            states={states}
            selected={selected}
            onSelect={(next) => setQuery({ node: next })}
          />
        </Panel>
        {node && state && <StepView key={node.id} node={node} run={state} />}
      </div>
      <div className="grid gap-4 lg:grid-cols-2">
        <Panel title="Inputs">
          <div className="p-4 pt-2">
            <JsonView label="inputs as JSON" value={run.inputs} />
          </div>
        </Panel>
        <Panel title="Outputs">
          <div className="p-4 pt-2">
            <JsonView label="outputs as JSON" value={run.outputs} />
          </div>
        </Panel>
      </div>
    </>
  )
}

function RunFacts({ id, run }: { id: string; run: Run }) {
  return (
    <div className="panel p-4">
      <Facts
        facts={[
          ['Started', run.startedAt ? <time key="s" dateTime={run.startedAt} title={timestamp(run.startedAt)}>{`${day(run.startedAt)}, ${clock(run.startedAt)}`}</time> : '–'],
          [ended(run.status) ? 'Took' : 'Has taken', duration(run.executionTime)],
          ['Tokens', integer(run.tokenUsage?.total ?? 0)],
          ['Cost', usd(run.costUsd)],
          ['Started by', humanise(run.trigger)],
          [
            'Goes back to',
            run.originRunId ? (
              <Link key="o" to={workflowLink(id, run.originRunId)} className="font-mono text-[13px] underline underline-offset-4" title={run.originRunId}>
                {run.originRunId}
              </Link>
            ) : (
              '–'
            ),
          ],
        ]}
      />
    </div>
  )
}

function Actions({ id, run, node }: { id: string; run: Run; node: WorkflowNode | undefined }) {
  const { cancel, retry, fork } = useRunCommands(id)
  const [asking, setAsking] = useState(false)
  const follow = { onSuccess: (next: Run) => navigate(workflowLink(id, next.runId)) }
  const failed = retry.error ?? fork.error
  return (
    <>
      {ended(run.status) && node && (
        <Button disabled={fork.isPending} title="Start another run with what this one had before the chosen node" onClick={() => fork.mutate({ run: run.runId, fromNodeId: node.id }, follow)}>
          <GitFork /> Run again from {node.name || node.id}
        </Button>
      )}
      {(run.status === 'failed' || run.status === 'cancelled') && (
        <Button look="primary" disabled={retry.isPending} onClick={() => retry.mutate(run.runId, follow)}>
          <RotateCcw /> Retry
        </Button>
      )}
      {!ended(run.status) && (
        <Button look="danger" onClick={() => setAsking(true)}>
          <Square /> Cancel
        </Button>
      )}
      {failed && <ErrorState compact error={failed} />}
      {asking && (
        <Confirm
          title="Cancel run"
          action="Cancel run"
          onClose={() => setAsking(false)}
          onConfirm={() => cancel.mutate(run.runId, { onSuccess: () => setAsking(false) })}
          pending={cancel.isPending}
          error={cancel.error}
        >
          <p>Steps that are being performed are told to stop. What they have done already stays done.</p>
        </Confirm>
      )}
    </>
  )
}
