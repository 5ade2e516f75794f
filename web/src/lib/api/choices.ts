import { useQuery } from '@tanstack/react-query'
import { useApi } from './context'

/** What forms let one choose from: the first hundred of a kind, by name. */
function useChoices<T>(key: string, path: string, query: Record<string, string> = {}) {
  const api = useApi()
  return useQuery({
    queryKey: ['choices', key],
    queryFn: async ({ signal }) => (await api.list<T>(path, { limit: 100, ...query }, signal)).items,
    staleTime: 10_000,
  })
}

export interface Named {
  id: string
  name: string
  description?: string
}

export const useBaseChoices = () => useChoices<Named>('bases', '/api/v1/datasets')
export const useMcpChoices = () => useChoices<Named & { enabled?: boolean }>('mcp', '/api/v1/mcp/servers')
export const useMemoryChoices = () => useChoices<Named>('memory-providers', '/api/v1/memory-providers')
export const useDataModelChoices = () => useChoices<Named>('data-models', '/api/v1/data-models')
export const useBenchmarkChoices = () => useChoices<Named>('benchmarks', '/api/v1/benchmarks')
export const useConnectorChoices = () => useChoices<Named>('connectors', '/v1/connectors')
