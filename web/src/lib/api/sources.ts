import { useQuery } from '@tanstack/react-query'
import { useApi } from './context'

/** What is read through a connector, as a form holds it. */
export interface SourceDraft {
  connectorId: string
  files: string[]
}

export const blankSource: SourceDraft = { connectorId: '', files: [] }

const path = (connector: string) => `/v1/connectors/${encodeURIComponent(connector)}`

/** The files of a connector, as they are in its bucket now. */
export function useFiles(connector: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['connector-files', connector],
    // The answer is a list of lists.
    queryFn: async ({ signal }) => (await api.get<{ key: string; size: number }[][]>(`${path(connector)}/files`, { limit: 200 }, signal)).flat(),
    enabled: connector !== '',
    retry: false,
    staleTime: 10_000,
  })
}

interface Scan {
  files?: { columns?: { name: string }[] }[]
}

/** The columns that the last scans of connectors have found: what a target may be called. */
export function useColumns(connectors: string[]) {
  const api = useApi()
  const asked = [...new Set(connectors.filter(Boolean))]
  return useQuery({
    queryKey: ['connector-columns', asked],
    queryFn: async ({ signal }) => {
      const scans = await Promise.all(asked.map((connector) => api.list<Scan>(`${path(connector)}/scans`, { limit: 1 }, signal)))
      const names = scans.flatMap((scan) => scan.items).flatMap((scan) => scan.files ?? []).flatMap((file) => file.columns ?? []).map((column) => column.name)
      return [...new Set(names)]
    },
    enabled: asked.length > 0,
    staleTime: 10_000,
  })
}

/** Names that are written with commas between them. */
export const namesIn = (text: string): string[] => text.split(/[,\n]/).map((name) => name.trim()).filter(Boolean)
