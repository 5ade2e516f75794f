import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'
import type { Training } from '@/lib/api/trainings'
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
