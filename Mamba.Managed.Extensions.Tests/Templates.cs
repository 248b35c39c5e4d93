namespace Mamba.Managed.Extensions.Tests;

/// <summary>Templates in the way of published ones.</summary>
internal static class Templates
{
    /// <summary>Messages between tags, tools in the way of Hermes.</summary>
    public const string Tagged = """
        {%- if tools %}{{- '[system]Tools:\n' }}{%- for tool in tools %}{{- tool | tojson }}{{- '\n' }}{%- endfor %}{{- 'Write <tool_call>.[end]\n' }}{%- endif %}
        {%- for message in messages %}
        {%- if message.role == 'tool' %}{{- '[user]<tool_response>' + message.content + '</tool_response>[end]\n' }}
        {%- else %}{{- '[' + message.role + ']' + (message.content | trim) }}
        {%- for call in message.tool_calls or [] %}{{- '\n<tool_call>\n' + (call.function | tojson) + '\n</tool_call>' }}{%- endfor %}
        {{- '[end]\n' }}{%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{- '[assistant]' }}{%- endif %}
        """;
}
