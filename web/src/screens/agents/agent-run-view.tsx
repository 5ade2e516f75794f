import type { LucideIcon } from 'lucide-react'
import { BookOpen, Brain, GitFork, Sparkles, Square, Workflow, Wrench } from 'lucide-react'
import { useState } from 'react'
import type { AgentRun, AgentStep } from '@/lib/api/agents'
import { messageOf, toolCallsOf } from '@/lib/api/agents'
import { ended } from '@/lib/api/workflows'
import { clock, day, duration, integer, timestamp, usd } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate } from '@/lib/router'
import { Badge, PageHeader, Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Confirm } from '@/ui/confirm'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { JsonView } from '@/ui/json'
import { Facts, Trail } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { agentLink, agentRunLink } from './agents-screen'
import { useAgent, useAgentCommands, useAgentRun } from './use-agents'

/** One run of an agent, step by step as it goes. */
export function AgentRunView({ id }: { id: string }) {
  useTitle('Run')
  const found = useAgentRun(id)
  const run = found.data?.run
  const agent = useAgent(run?.agentId ?? '')
  const feed = useLive('agent_run.*', ['agent-run', id], { subject: id, active: !run || !ended(run.status) })
  return (
    <div className="space-y-5">
      <Trail steps={[{ to: 'agents', label: 'Agents' }, ...(run ? [{ to: agentLink(run.agentId), label: agent.data?.name ?? run.agentId }] : [])]} />
      {found.isError && <ErrorState error={found.error} onRetry={() => void found.refetch()} />}
      {found.isPending && <SkeletonRows rows={6} />}
      {found.data && run && (
        <>
          <PageHeader title={`Run of ${agent.data?.name ?? 'the agent'}`} lead={<span className="font-mono text-xs">{run.id}</span>}>
            {feed === 'live' && <Badge tone="good">Live</Badge>}
            <StateBadge state={run.status} />
            {!ended(run.status) && <CancelButton run={run} />}
          </PageHeader>
          <RunFacts run={run} />
          <Panel title="Asked">
            <p className="px-4 pb-4 break-words whitespace-pre-wrap">{messageOf(run.input)}</p>
          </Panel>
          <Steps run={run} steps={found.data.steps} />
          {run.error && (run.error.message || run.status === 'failed') && <ErrorState error={new Error(run.error.message || run.error.code)} />}
          {run.output !== null && (
            <Panel title="Answer">
              <p className="px-4 pb-4 break-words whitespace-pre-wrap">{messageOf(run.output)}</p>
            </Panel>
          )}
        </>
      )}
    </div>
  )
}

function RunFacts({ run }: { run: AgentRun }) {
  const origin = run.forkedFrom
  return (
    <div className="panel p-4">
      <Facts
        facts={[
          ['Started', run.startedAt ? <time key="s" dateTime={run.startedAt} title={timestamp(run.startedAt)}>{`${day(run.startedAt)}, ${clock(run.startedAt)}`}</time> : '–'],
          ['Took', run.finishedAt ? duration(run.latencyMs) : '–'],
          ['Steps', integer(run.stepCount)],
          ['Tokens', integer(run.tokenUsage?.total ?? 0)],
          ['Cost', usd(run.costUsd)],
          [
            'Forked from',
            origin ? (
              <Link key="o" to={agentRunLink(origin.runId)} className="underline underline-offset-4" title={origin.runId}>
                step {origin.step} of another run
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

function Steps({ run, steps }: { run: AgentRun; steps: AgentStep[] }) {
  const { fork } = useAgentCommands()
  return (
    <Panel title="Steps">
      {steps.length === 0 && <p className="px-4 pb-4 text-ink-3">None has begun yet.</p>}
      {fork.isError && (
        <div className="px-4 pb-2">
          <ErrorState compact error={fork.error} />
        </div>
      )}
      <ol aria-label="Steps" className="px-4 pb-2">
        {steps.map((step) => (
          <StepItem
            key={step.id}
            step={step}
            onFork={ended(run.status) && !fork.isPending ? () => fork.mutate({ id: run.id, step: step.index }, { onSuccess: (next) => navigate(agentRunLink(next.id)) }) : undefined}
          />
        ))}
      </ol>
    </Panel>
  )
}

/** What sorts of steps there are; one that is not known is shown as a tool. */
const sorts: Record<string, { icon: LucideIcon; word: string }> = {
  llm: { icon: Sparkles, word: 'Model' },
  tool: { icon: Wrench, word: 'Tool' },
  memory: { icon: Brain, word: 'Memory' },
  retrieval: { icon: BookOpen, word: 'Knowledge' },
  workflow: { icon: Workflow, word: 'Workflow' },
}
const otherSort = { icon: Wrench, word: 'Tool' }

function StepItem({ step, onFork }: { step: AgentStep; onFork: (() => void) | undefined }) {
  const { icon: Icon, word } = sorts[step.type] ?? otherSort
  const calls = toolCallsOf(step.output)
  const said = messageOf(calls.length ? (step.output as { content?: unknown }).content : step.output)
  return (
    <li className="flex gap-3 border-t border-line py-3 first:border-0">
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-ink-3" />
      <div className="min-w-0 flex-1 space-y-2">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <h3 className="font-medium">
            {step.index}. {word} <span className="font-mono text-[13px]">{step.name}</span>
          </h3>
          <StateBadge state={step.status} />
          <span className="tabular text-[13px] text-ink-3">
            {step.status !== 'running' && duration(step.latencyMs)}
            {step.tokenUsage?.total ? ` · ${integer(step.tokenUsage.prompt ?? 0)} + ${integer(step.tokenUsage.completion ?? 0)} tokens` : ''}
            {step.costUsd > 0 && ` · ${usd(step.costUsd)}`}
          </span>
          {onFork && (
            <Button small look="ghost" className="ml-auto" title="Do this step again in another run, with what came before it as it was" onClick={onFork}>
              <GitFork /> Fork from step {step.index}
            </Button>
          )}
        </div>
        {step.input !== null && step.input !== undefined && <StepInput step={step} />}
        {calls.map((call, index) => (
          <p key={index} className="text-[13px] break-words text-ink-2">
            asks for <span className="font-mono">{call.name}</span> with <span className="font-mono">{call.arguments}</span>
          </p>
        ))}
        {said && <p className="max-h-60 overflow-y-auto break-words whitespace-pre-wrap">{said}</p>}
        {step.error && <ErrorState compact error={new Error(step.error.message || step.error.code)} />}
      </div>
    </li>
  )
}

/** Arguments are short and shown; what a model was asked holds all that was said before, and is shown when it is wanted. */
function StepInput({ step }: { step: AgentStep }) {
  if (step.type !== 'llm') return <JsonView label={`arguments of step ${step.index}`} value={step.input} />
  return (
    <details>
      <summary className="w-fit rounded text-[13px] text-ink-3 select-none hover:text-ink">What it was asked</summary>
      <div className="mt-2">
        <JsonView label={`what step ${step.index} was asked`} value={step.input} />
      </div>
    </details>
  )
}

function CancelButton({ run }: { run: AgentRun }) {
  const { cancel } = useAgentCommands()
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button look="danger" onClick={() => setAsking(true)}>
        <Square /> Cancel
      </Button>
      {asking && (
        <Confirm
          title="Cancel run"
          action="Cancel run"
          onClose={() => setAsking(false)}
          onConfirm={() => cancel.mutate(run.id, { onSuccess: () => setAsking(false) })}
          pending={cancel.isPending}
          error={cancel.error}
        >
          <p>The step that is being performed is told to stop. What was done already stays done.</p>
        </Confirm>
      )}
    </>
  )
}
