import { Bot, Pencil, Plus } from 'lucide-react'
import type { Agent, AgentRun } from '@/lib/api/agents'
import { messageOf } from '@/lib/api/agents'
import { baseUrl } from '@/lib/base'
import { ago, duration, timestamp, usd } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { builtInModel, curlAgent } from '@/lib/snippets'
import { PageHeader, Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Cell, Head, MoreButton, rowClass, Table, Trail } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { StateBadge } from '@/ui/state-badge'
import { AgentForm } from './agent-form'
import { AgentRunView } from './agent-run-view'
import { RunBox } from './run-box'
import { useAgent, useAgentRuns, useAgents } from './use-agents'

/** All agents; one, with what it was asked; one run; or the form of one. */
export function AgentsScreen() {
  const { query } = useRoute()
  const run = query.get('run') ?? ''
  const id = query.get('id') ?? ''
  if (run) return <AgentRunView key={run} id={run} />
  if (query.has('new')) return <AgentForm />
  if (id && query.has('edit')) return <EditAgent key={id} id={id} />
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
        <SearchBox label="Search agents" value={search} onChange={(next) => setQuery({ search: next })} />
        <Button look="primary" onClick={() => navigate('agents?new=1')}>
          <Plus /> New agent
        </Button>
      </PageHeader>
      {agents.isError && <ErrorState error={agents.error} onRetry={() => void agents.refetch()} />}
      {agents.isPending && <SkeletonRows rows={5} />}
      {agents.isSuccess && agents.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Bot />} title={search ? 'Nothing fits' : 'No agents yet'}>
            {search ? <p>Search for something else.</p> : <FirstStep what="Make one here, or with the API:" label="agent example" code={curlAgent(baseUrl(location))} />}
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

function EditAgent({ id }: { id: string }) {
  const agent = useAgent(id, { fresh: true })
  // What is changed is what the server has now, not what was read some time ago.
  if (agent.data && agent.isFetchedAfterMount) return <AgentForm agent={agent.data} />
  return agent.isError ? <ErrorState error={agent.error} onRetry={() => void agent.refetch()} /> : <SkeletonRows rows={6} />
}

function AgentRow({ agent }: { agent: Agent }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-44 px-4 py-2.5 text-left font-medium sm:max-w-96">
        <Link to={agentLink(agent.id)} className="block truncate after:absolute after:inset-0">
          {agent.name}
        </Link>
        {agent.description && <span className="block truncate text-[13px] font-normal text-ink-3">{agent.description}</span>}
      </th>
      <Cell>
        <StateBadge state={agent.status} />
      </Cell>
      <Cell className="font-mono text-[13px] whitespace-nowrap">{agent.model || builtInModel}</Cell>
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
          <PageHeader title={found.name} lead={abilities(found)}>
            <StateBadge state={found.status} />
            <Button onClick={() => navigate(`${agentLink(found.id)}&edit=1`)}>
              <Pencil /> Edit
            </Button>
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

/** What an agent works with, in a line. */
function abilities({ model, tools, datasetIds, memoryProvider }: Agent): string {
  const bases = datasetIds?.length ?? 0
  return [model || builtInModel, ...(tools ?? []), bases > 0 && `${bases} knowledge ${bases === 1 ? 'base' : 'bases'}`, memoryProvider && `${memoryProvider} memory`].filter(Boolean).join(' · ')
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
      <th scope="row" className="max-w-44 px-4 py-2.5 text-left font-medium sm:max-w-96">
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
