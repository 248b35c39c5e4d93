using System.Text.Json.Nodes;

namespace Mamba.Managed.Templates;

/// <summary>A template that makes the text for a model of a conversation, as models are published with: a subset of the template language Jinja.</summary>
/// <remarks>
/// <para>
/// It renders what the <c>apply_chat_template</c> of Hugging Face's transformers does: blocks are trimmed, a list or a float is printed as Python prints
/// it, <c>tojson</c> escapes nothing for HTML. A template only sees the variables that it is given; it reads no file, calls no code, and stops at
/// <see cref="ChatTemplateLimits"/>.
/// </para>
/// <para>A template is parsed once and may be rendered by any number of threads at once.</para>
/// </remarks>
public sealed class ChatTemplate
{
    private const int LongestSource = 1 << 24;

    private readonly TemplateText text;
    private readonly Statement[] statements;

    private ChatTemplate(string source)
    {
        Source = source;
        text = new TemplateText(source);
        statements = StatementParser.Parse(text);
    }

    /// <summary>
    /// The template for a model that has none, as base models: for each message a line with its role, a colon and its text, and at the end
    /// <c>assistant:</c>, where the model is to go on. It begins with <c>bos_token</c> if that is given. Of a text in parts those with a
    /// <c>text</c> are taken.
    /// </summary>
    public static ChatTemplate Plain { get; } = Parse("""
        {{- bos_token | default('', true) }}
        {%- for message in messages %}
            {{- message.role ~ ': ' }}
            {%- if message.content is string %}
                {{- message.content | trim }}
            {%- else %}
                {{- (message.content or []) | selectattr('text', 'string') | map(attribute='text') | join(' ') | trim }}
            {%- endif %}
            {{- '\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ 'assistant:' }}{% endif %}
        """);

    /// <summary>The template as it was given.</summary>
    public string Source { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">The template; at most 16,777,216 UTF-16 units.</param>
    /// <exception cref="InvalidDataException">The template is malformed, or has a tag, a filter or a test that is not supported; the message names it with its line and column.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Throw.Unless(source.Length <= LongestSource, $"chat template: expected at most {LongestSource} characters, found {source.Length}");
        return new ChatTemplate(source);
    }

    /// <summary>Makes the text of a conversation.</summary>
    /// <param name="variables">
    /// What the template may use by name: as a rule <c>messages</c>, a list of objects with <c>role</c> and <c>content</c>; <c>add_generation_prompt</c>, true where the
    /// model is to answer; <c>tools</c>, <c>documents</c>, <c>bos_token</c>, <c>eos_token</c>. At most 64 levels of nesting. Nothing is changed.
    /// </param>
    /// <param name="limits">What it may use; null for <see cref="ChatTemplateLimits.Default"/>.</param>
    /// <param name="clock">The time for templates that print it; null for the system's.</param>
    /// <returns>The text. Tokens of control, as the beginning of a message, are in it by their names.</returns>
    /// <exception cref="ChatTemplateException">The template refused the conversation, failed, or reached a limit; <see cref="ChatTemplateException.Fault"/> says which.</exception>
    /// <exception cref="ArgumentException">The variables are nested too deeply or hold what is no JSON.</exception>
    public string Render(JsonObject variables, ChatTemplateLimits? limits = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(variables);
        Rendering rendering = new(text, limits ?? ChatTemplateLimits.Default, clock ?? TimeProvider.System);
        foreach ((object? name, object? value) in JsonValues.Of(variables).Pairs)
        {
            rendering.SetGlobal((string)name!, value);
        }

        _ = Statement.Run(statements, new Scope(rendering));
        return rendering.Output.ToString();
    }
}
