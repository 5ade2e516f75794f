import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef } from 'react'
import type { Named } from '@/lib/api/choices'
import { useApi } from '@/lib/api/context'
import type { Evaluation, Training } from '@/lib/api/trainings'
import { usePages } from '@/lib/pages'

const root = '/api/v1/trainings'
const path = (id: string) => `${root}/${encodeURIComponent(id)}`

export const useTrainings = (status: string) => usePages<Training>(['trainings'], root, { status, sortBy: 'created_at', sortOrder: 'desc' })

export function useTraining(id: string) {
  const api = useApi()
  return useQuery({ queryKey: ['training', id], queryFn: ({ signal }) => api.get<Training>(path(id), undefined, signal) })
}

export function useCancelTraining(id: string) {
  const api = useApi()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => api.post<Training>(`${path(id)}/cancel`),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ['training', id] }), queries.invalidateQueries({ queryKey: ['trainings'] })]),
  })
}

export interface TrainingWish {
  name: string
  architecture: string
  gpuCount: number
  dataModelId: string
  benchmarkIds: string[]
  configuration: Record<string, unknown>
  connectors: { connectorId: string; files?: string[] }[]
}

/** Begins a training, with a data model made for it where one is named. */
export function useCreateTraining() {
  const api = useApi()
  const queries = useQueryClient()
  // When only the training was refused, its data model is there already.
  const made = useRef<Named>(undefined)
  const create = useMutation({
    mutationFn: async ({ wish, newModel }: { wish: TrainingWish; newModel: string }) => {
      if (newModel && made.current?.name !== newModel) made.current = await api.post<Named>('/api/v1/data-models', { name: newModel })
      return api.post<Training>(root, { ...wish, dataModelId: newModel ? made.current?.id : wish.dataModelId })
    },
    onSuccess: () => Promise.all(['trainings', 'choices'].map((key) => queries.invalidateQueries({ queryKey: [key] }))),
  })
  return { create }
}

/** Measures a checkpoint on a benchmark. */
export function useEvaluate() {
  const api = useApi()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (wish: { checkpointId: string; benchmarkId: string }) => api.post<Evaluation>('/api/v1/evaluations', { ...wish, gpuCount: 0 }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['leaderboard'] }),
  })
}
