-- A custom role keeps its permissions as they were sent, element by element: together they gave more than each
-- would, for what one element took away stayed away from the others.
UPDATE role_definitions SET doc = json_object(
    'role', json_object(
        'id', doc ->> '$.role.id',
        'name', doc ->> '$.role.name',
        'description', doc ->> '$.role.description',
        'permissions', json_array(json_object(
            'actions', json(coalesce(doc -> '$.role.actions', '[]')),
            'notActions', json(coalesce(doc -> '$.role.notActions', '[]')),
            'dataActions', json(coalesce(doc -> '$.role.dataActions', '[]')),
            'notDataActions', json(coalesce(doc -> '$.role.notDataActions', '[]'))
        ))
    ),
    'scopes', json(coalesce(doc -> '$.scopes', '[]'))
);
