import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'
import { usePages } from '@/lib/pages'

export interface Base {
  id: string
  name: string
  description: string
  embeddingModel: string
  chunkSize: number
  chunkOverlap: number
  status: 'empty' | 'processing' | 'ready' | 'failed'
  documentCount: number
  chunkCount: number
  sizeBytes: number
  updatedAt: string
}

export interface BaseDraft extends Partial<Pick<Base, 'embeddingModel' | 'chunkSize' | 'chunkOverlap'>> {
  name: string
  description: string
  queryModel?: string
}

export interface Document {
  id: string
  name: string
  mimeType: string
  sizeBytes: number
  status: 'pending' | 'processing' | 'completed' | 'failed'
  error?: string
  chunkCount: number
  embeddedCount: number
  tokenCount: number
  createdAt: string
}

export interface Hit {
  chunkId: string
  documentId: string
  documentName: string
  content: string
  score: number
  page?: number
  headings?: string[]
}

export interface Uploaded {
  documents: Document[]
  accepted: number
  rejected: { name: string; code: string; message: string }[]
}

export type Mode = 'hybrid' | 'vector' | 'keyword'

const root = '/api/v1/datasets'
const path = (id: string) => `${root}/${encodeURIComponent(id)}`

export const useBases = (search: string) => usePages<Base>(['bases'], root, { search })

export function useBase(id: string) {
  const api = useApi()
  return useQuery({ queryKey: ['base', id], queryFn: ({ signal }) => api.get<Base>(path(id), undefined, signal) })
}

export const useDocuments = (base: string) => usePages<Document>(['documents', base], `${path(base)}/documents`)

/** What of a base fits a question, the best first; asked again when the base has changed. */
export function useSearch(base: string, query: string, mode: Mode) {
  const api = useApi()
  return useQuery({
    queryKey: ['documents', base, 'search', query, mode],
    queryFn: ({ signal }) => api.query<{ results: Hit[]; total: number; tookMs: number }>(`${path(base)}/search`, { query, mode, topK: 10 }, signal),
    enabled: query !== '',
    placeholderData: keepPreviousData,
  })
}

export function useKnowledgeCommands(base: string) {
  const api = useApi()
  const queries = useQueryClient()
  const onSuccess = () => Promise.all(['bases', 'base', 'documents'].map((key) => queries.invalidateQueries({ queryKey: [key] })))
  const documentPath = (id: string) => `/api/v1/knowledge/documents/${encodeURIComponent(id)}`
  return {
    create: useMutation({ mutationFn: (draft: BaseDraft) => api.post<Base>(root, draft), onSuccess }),
    upload: useMutation({
      mutationFn: (files: File[]) => {
        const form = new FormData()
        for (const file of files) form.append('files', file)
        return api.upload<Uploaded>(`${path(base)}/upload`, form)
      },
      onSuccess,
    }),
    reprocess: useMutation({ mutationFn: (id: string) => api.post<Document>(`${documentPath(id)}/reprocess`), onSuccess }),
    remove: useMutation({ mutationFn: (id: string) => api.delete(documentPath(id)), onSuccess }),
  }
}
