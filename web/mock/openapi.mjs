/** A few operations, enough to see the docs page work. */
const secured = [{ bearer: [] }]

export const openapi = {
  openapi: '3.1.0',
  info: { title: 'Strata', version: '1.0', description: 'A gateway to language models with a log it never forgets.' },
  servers: [{ url: 'http://localhost:8000' }],
  tags: [{ name: 'Authentication' }, { name: 'Budgets' }],
  components: {
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    schemas: {
      Budget: {
        type: 'object',
        required: ['name', 'scopeType', 'limitUsd', 'period'],
        properties: { name: { type: 'string', example: 'Everything' }, scopeType: { type: 'string', enum: ['workspace', 'model'] }, limitUsd: { type: 'number', example: 50 }, period: { type: 'string', enum: ['daily', 'weekly', 'monthly', 'total'] } },
      },
    },
  },
  paths: {
    '/api/v1/auth/whoami': {
      get: { tags: ['Authentication'], operationId: 'whoami', summary: 'Get the caller', security: secured, responses: { 200: { description: 'The caller', content: { 'application/json': { example: { success: true, data: { workspaceId: 'ws_1' } } } } } } },
    },
    '/api/v1/budgets': {
      get: { tags: ['Budgets'], operationId: 'listBudgets', summary: 'List budgets', security: secured, responses: { 200: { description: 'Budgets' } } },
      post: { tags: ['Budgets'], operationId: 'createBudget', summary: 'Create a spending limit', security: secured, requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Budget' } } } }, responses: { 201: { description: 'Created' } } },
    },
  },
}
