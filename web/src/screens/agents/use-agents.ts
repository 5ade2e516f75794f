import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Tagged } from '@/lib/api/client'
import type { Agent, AgentDraft, AgentRun, AgentStep } from '@/lib/api/agents'
import { useApi } from '@/lib/api/context'
import { usePages } from '@/lib/pages'

const root = '/api/v1/agents'
const runs = '/api/v1/runs'
export const agentPath = (id: string) => `${root}/${encodeURIComponent(id)}`
const runPath = (id: string) => `${runs}/${encodeURIComponent(id)}`

export const useAgents = (search: string) => usePages<Agent>(['agents'], root, { search })

export function useAgent(id: string, { fresh = false } = {}) {
  const api = useApi()
  return useQuery({
    queryKey: ['agent', id],
    queryFn: ({ signal }) => api.getTagged<Agent>(agentPath(id), signal),
    enabled: id !== '',
    refetchOnMount: fresh ? 'always' : true,
  })
}

export const useAgentRuns = (agentId: string) => usePages<AgentRun>(['agent-runs', agentId], runs, { agentId, sortBy: 'created_at', sortOrder: 'desc' })

export function useAgentRun(id: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['agent-run', id],
    queryFn: async ({ signal }) => {
      const run = await api.get<AgentRun>(runPath(id), undefined, signal)
      const steps: AgentStep[] = []
      let cursor = ''
      do {
        const page = await api.list<AgentStep>(`${runPath(id)}/steps`, { limit: 100, cursor }, signal)
        steps.push(...page.items)
        cursor = page.hasMore ? page.nextCursor : ''
      } while (cursor)
      return { run, steps }
    },
  })
}

export function useAgentCommands() {
  const api = useApi()
  const queries = useQueryClient()
  const onSuccess = () => Promise.all([queries.invalidateQueries({ queryKey: ['agent-runs'] }), queries.invalidateQueries({ queryKey: ['agent-run'] })])
  const onSaved = () => Promise.all([queries.invalidateQueries({ queryKey: ['agents'] }), queries.invalidateQueries({ queryKey: ['agent'] })])
  return {
    save: useMutation({
      mutationFn: ({ base, draft }: { base: Tagged<Agent> | undefined; draft: AgentDraft }) => (base ? api.patch<Agent>(agentPath(base.id), draft, base.etag) : api.post<Agent>(root, draft)),
      onSuccess: onSaved,
    }),
    start: useMutation({
      mutationFn: (wish: { agentId: string; input: Record<string, unknown>; variables?: Record<string, string>; sessionId?: string }) => api.post<AgentRun>(runs, wish),
      onSuccess,
    }),
    cancel: useMutation({ mutationFn: (id: string) => api.post<AgentRun>(`${runPath(id)}/cancel`, {}), onSuccess }),
    fork: useMutation({ mutationFn: ({ id, step }: { id: string; step: number }) => api.post<AgentRun>(`${runPath(id)}/fork`, { step }), onSuccess }),
  }
}
