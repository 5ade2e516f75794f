import { Bot, Play, Search } from 'lucide-react'
import type { FormEvent } from 'react'
import { useState } from 'react'
import type { Agent, AgentRun } from '@/lib/api/agents'
import { messageOf } from '@/lib/api/agents'
import { ago, duration, timestamp, usd } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { PageHeader, Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Input } from '@/ui/form'
import { Cell, Head, MoreButton, rowClass, Table, Trail } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { AgentRunView } from './agent-run-view'
import { useAgent, useAgentCommands, useAgentRuns, useAgents } from './use-agents'

/** All agents; one, with what it was asked; or one run. */
export function AgentsScreen() {
  const { query } = useRoute()
  const run = query.get('run') ?? ''
  const id = query.get('id') ?? ''
  if (run) return <AgentRunView key={run} id={run} />
  return id ? <AgentView key={id} id={id} /> : <AgentList />
}

export const agentLink = (id: string) => `agents?id=${encodeURIComponent(id)}`
export const agentRunLink = (run: string) => `agents?run=${encodeURIComponent(run)}`

function AgentList() {
  useTitle('Agents')
  const { query } = useRoute()
  const search = query.get('search') ?? ''
  const agents = useAgents(useSettled(search, 250))
  useLive('agent.*', ['agents'])
  return (
    <div className="space-y-5">
      <PageHeader title="Agents" lead="Models with instructions and tools. Each step of a run is kept, and a run can be taken up again at any of them.">
        <div className="relative">
          <Search aria-hidden className="pointer-events-none absolute top-2.5 left-3 size-4 text-ink-3" />
          <Input aria-label="Search agents" placeholder="Search" value={search} onChange={(e) => setQuery({ search: e.target.value })} className="pl-9" />
        </div>
      </PageHeader>
      {agents.isError && <ErrorState error={agents.error} onRetry={() => void agents.refetch()} />}
      {agents.isPending && <SkeletonRows rows={5} />}
      {agents.isSuccess && agents.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Bot />} title={search ? 'Nothing fits' : 'No agents yet'}>
            <p>{search ? 'Search for something else.' : 'An agent is made with POST /api/v1/agents: a model, instructions and the tools it may call.'}</p>
          </EmptyState>
        </div>
      )}
      {agents.items.length > 0 && (
        <div className="panel">
          <Table label="Agents">
            <Head columns={[{ name: 'Name' }, { name: 'Status' }, { name: 'Model' }, { name: 'Tools', right: true }, { name: 'Version', right: true }]} />
            <tbody>
              {agents.items.map((agent) => (
                <AgentRow key={agent.id} agent={agent} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={agents} />
        </div>
      )}
    </div>
  )
}

function AgentRow({ agent }: { agent: Agent }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-96 px-4 py-2.5 text-left font-medium">
        <Link to={agentLink(agent.id)} className="block truncate after:absolute after:inset-0">
          {agent.name}
        </Link>
        {agent.description && <span className="block truncate text-[13px] font-normal text-ink-3">{agent.description}</span>}
      </th>
      <Cell>
        <StateBadge state={agent.status} />
      </Cell>
      <Cell className="font-mono text-[13px] whitespace-nowrap">{agent.model || '–'}</Cell>
      <Cell right>{agent.tools?.length ?? 0}</Cell>
      <Cell right>{agent.version}</Cell>
    </tr>
  )
}

function AgentView({ id }: { id: string }) {
  const agent = useAgent(id)
  const found = agent.data
  useTitle(found?.name ?? 'Agent')
  return (
    <div className="space-y-5">
      <Trail steps={[{ to: 'agents', label: 'Agents' }]} />
      {agent.isError && <ErrorState error={agent.error} onRetry={() => void agent.refetch()} />}
      {agent.isPending && <SkeletonRows rows={6} />}
      {found && (
        <>
          <PageHeader title={found.name} lead={[found.model, ...(found.tools ?? [])].filter(Boolean).join(' · ')}>
            <StateBadge state={found.status} />
          </PageHeader>
          {found.instructions && (
            <Panel title="Instructions">
              <p className="max-h-48 overflow-y-auto px-4 pb-4 break-words whitespace-pre-wrap text-ink-2">{found.instructions}</p>
            </Panel>
          )}
          <RunBox agent={found} />
          <Runs agent={found} />
        </>
      )}
    </div>
  )
}

function RunBox({ agent }: { agent: Agent }) {
  const { start } = useAgentCommands()
  const [message, setMessage] = useState('')
  function submit(event: FormEvent) {
    event.preventDefault()
    start.mutate({ agentId: agent.id, message: message.trim() }, { onSuccess: (run) => navigate(agentRunLink(run.id)) })
  }
  return (
    <Panel title="Run it">
      <form onSubmit={submit} className="space-y-3 p-4 pt-2">
        <div className="flex flex-wrap items-end gap-2">
          <textarea
            aria-label="Message to the agent"
            required
            rows={2}
            placeholder="What should it do?"
            value={message}
            onChange={(e) => setMessage(e.target.value)}
            className="field h-auto! min-w-56 flex-1 resize-y py-2"
          />
          <Button look="primary" type="submit" disabled={start.isPending || message.trim() === ''}>
            <Play /> {start.isPending ? 'Starting…' : 'Run'}
          </Button>
        </div>
        {start.isError && <ErrorState compact error={start.error} />}
      </form>
    </Panel>
  )
}

function Runs({ agent }: { agent: Agent }) {
  const runs = useAgentRuns(agent.id)
  useLive('agent_run.*', ['agent-runs', agent.id])
  return (
    <Panel title="Runs">
      {runs.isError && (
        <div className="p-4">
          <ErrorState compact error={runs.error} onRetry={() => void runs.refetch()} />
        </div>
      )}
      {runs.isPending && <SkeletonRows rows={3} className="p-4" />}
      {runs.isSuccess && runs.items.length === 0 && <p className="px-4 pb-4 text-ink-3">It has not been run yet.</p>}
      {runs.items.length > 0 && (
        <>
          <Table label="Runs">
            <Head columns={[{ name: 'Asked' }, { name: 'Status' }, { name: 'Steps', right: true }, { name: 'Tokens', right: true }, { name: 'Cost', right: true }, { name: 'Took', right: true }, { name: 'Started', right: true }]} />
            <tbody>
              {runs.items.map((run) => (
                <RunRow key={run.id} run={run} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={runs} />
        </>
      )}
    </Panel>
  )
}

function RunRow({ run }: { run: AgentRun }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-96 px-4 py-2.5 text-left font-medium">
        <Link to={agentRunLink(run.id)} className="block truncate after:absolute after:inset-0">
          {messageOf(run.input) || run.id}
        </Link>
        <span className="block truncate text-[13px] font-normal text-ink-3">{run.error?.message ?? messageOf(run.output)}</span>
      </th>
      <Cell>
        <StateBadge state={run.status} />
      </Cell>
      <Cell right>{run.stepCount}</Cell>
      <Cell right>{run.tokenUsage?.total ?? 0}</Cell>
      <Cell right>{usd(run.costUsd)}</Cell>
      <Cell right>{run.finishedAt ? duration(run.latencyMs) : '–'}</Cell>
      <Cell right className="whitespace-nowrap text-ink-3">
        {run.startedAt && (
          <time dateTime={run.startedAt} title={timestamp(run.startedAt)}>
            {ago(run.startedAt, Date.now())}
          </time>
        )}
      </Cell>
    </tr>
  )
}
