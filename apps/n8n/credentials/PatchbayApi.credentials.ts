import type {
	IAuthenticateGeneric,
	ICredentialTestRequest,
	ICredentialType,
	Icon,
	INodeProperties,
} from 'n8n-workflow';

export class PatchbayApi implements ICredentialType {
	name = 'patchbayApi';

	displayName = 'Patchbay API';

	icon: Icon = { light: 'file:../icons/patchbay.svg', dark: 'file:../icons/patchbay.dark.svg' };

	documentationUrl = 'https://github.com/patchbay/patchbay/tree/main/apps/n8n#credentials';

	properties: INodeProperties[] = [
		{
			displayName: 'Base URL',
			name: 'baseUrl',
			type: 'string',
			default: '',
			required: true,
			placeholder: 'https://api.platform.example',
			description: "The URL of your platform's API",
		},
		{
			displayName: 'API Key',
			name: 'apiKey',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			required: true,
			description: 'A key with the scope automations:use',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: {
			headers: {
				Authorization: '=Bearer {{$credentials.apiKey}}',
			},
		},
	};

	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{$credentials.baseUrl}}',
			url: '/api/automations/n8n/me',
		},
		// A website can also answer 200 to any path.
		rules: [
			{
				type: 'responseSuccessBody',
				properties: {
					key: 'workspaceId',
					value: undefined,
					message: 'The base URL is not the API of a Patchbay platform',
				},
			},
		],
	};
}
