import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Tagged } from '@/lib/api/client'
import { ApiError } from '@/lib/api/client'
import { useApi } from '@/lib/api/context'
import type { Problem, Run, Step, Workflow } from '@/lib/api/workflows'
import { usePages } from '@/lib/pages'

const root = '/api/v1/workflows'
export const workflowPath = (id: string) => `${root}/${encodeURIComponent(id)}`
const runPath = (id: string, run: string) => `${workflowPath(id)}/executions/${encodeURIComponent(run)}`

export const useWorkflows = (search: string) => usePages<Workflow>(['workflows'], root, { search })

export function useWorkflow(id: string, { fresh = false } = {}) {
  const api = useApi()
  return useQuery({ queryKey: ['workflow', id], queryFn: ({ signal }) => api.getTagged<Workflow>(workflowPath(id), signal), refetchOnMount: fresh ? 'always' : true })
}

/** What of a definition the server checks; the rest is checked when it is written. */
const checked = ['nodes', 'edges', 'inputSchema', 'outputSchema', 'config'] as const

/** What the server finds wrong with a definition; asked again for each other one. */
export function useProblems(definition: Record<string, unknown> | undefined) {
  const api = useApi()
  const asked = definition && { nodes: [], edges: [], ...Object.fromEntries(checked.filter((key) => definition[key] !== undefined && definition[key] !== null).map((key) => [key, definition[key]])) }
  return useQuery({
    queryKey: ['workflow-problems', asked],
    queryFn: async ({ signal }): Promise<Problem[]> => {
      try {
        return (await api.query<{ errors: Problem[] }>(`${root}/validate`, asked, signal)).errors
      } catch (cause) {
        // Of what does not even have the shape of a definition, the refusal names the places.
        if (cause instanceof ApiError && cause.details.length > 0) return cause.details
        throw cause
      }
    },
    enabled: asked !== undefined,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  })
}

export function useSaveWorkflow() {
  const api = useApi()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ base, draft }: { base: Tagged<Workflow> | undefined; draft: Record<string, unknown> }) =>
      base ? api.patch<Workflow>(workflowPath(base.id), draft, base.etag) : api.post<Workflow>(root, draft),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ['workflows'] }), queries.invalidateQueries({ queryKey: ['workflow'] })]),
  })
}

/** The definition that a run was started with. */
export function useDefinition(workflow: Workflow, version: number) {
  const api = useApi()
  const old = useQuery({
    queryKey: ['workflow', workflow.id, 'version', version],
    queryFn: ({ signal }) => api.get<Workflow>(`${workflowPath(workflow.id)}/versions/${version}`, undefined, signal),
    enabled: version !== workflow.version,
    staleTime: Infinity,
  })
  return version === workflow.version ? workflow : old.data
}

export const useRuns = (id: string, status: string) => usePages<Run>(['workflow-runs', id], `${workflowPath(id)}/executions`, { status, sortBy: 'created_at', sortOrder: 'desc' })

export function useRun(id: string, run: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['workflow-run', run],
    queryFn: async ({ signal }) => {
      const [found, steps] = await Promise.all([api.get<Run>(runPath(id, run), undefined, signal), allSteps()])
      return { run: found, steps }

      async function allSteps(): Promise<Step[]> {
        const steps: Step[] = []
        let cursor = ''
        do {
          const page = await api.list<Step>(`${runPath(id, run)}/steps`, { limit: 100, cursor }, signal)
          steps.push(...page.items)
          cursor = page.hasMore ? page.nextCursor : ''
        } while (cursor && steps.length < maxSteps)
        return steps
      }
    },
  })
}

/** A loop may have thousands of items; the picture needs no more of them than this. */
const maxSteps = 1000

export function useRunCommands(id: string) {
  const api = useApi()
  const queries = useQueryClient()
  const onSuccess = () => Promise.all([queries.invalidateQueries({ queryKey: ['workflow-runs', id] }), queries.invalidateQueries({ queryKey: ['workflow-run'] })])
  return {
    start: useMutation({ mutationFn: (inputs: unknown) => api.post<Run>(`${workflowPath(id)}/execute`, { inputs }), onSuccess }),
    cancel: useMutation({ mutationFn: (run: string) => api.post<Run>(`${runPath(id, run)}/cancel`, {}), onSuccess }),
    retry: useMutation({ mutationFn: (run: string) => api.post<Run>(`${runPath(id, run)}/retry`, {}), onSuccess }),
    fork: useMutation({ mutationFn: ({ run, fromNodeId }: { run: string; fromNodeId: string }) => api.post<Run>(`${runPath(id, run)}/fork`, { fromNodeId }), onSuccess }),
    answer: useMutation({
      mutationFn: ({ run, ...decision }: { run: string; nodeId: string; decision: string; payload?: unknown }) => api.post<Run>(`${runPath(id, run)}/resume`, decision),
      onSuccess,
    }),
  }
}
