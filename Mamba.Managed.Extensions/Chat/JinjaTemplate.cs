using System.Text.Json.Nodes;
using Mamba.Managed.Generation;
using Mamba.Managed.Templates;

namespace Mamba.Managed.Extensions;

/// <summary>A model's own template, or a line for each message where it has none.</summary>
internal sealed class JinjaTemplate : IChatTemplate
{
    private const string ToolUse = "tool_use";

    private readonly ChatTemplate template;
    private readonly ChatTemplate withTools;

    private JinjaTemplate(ChatTemplate template, ChatTemplate withTools, IReadOnlyList<string> stop) => (this.template, this.withTools, Stop) = (template, withTools, stop);

    /// <inheritdoc/>
    public bool DescribesTools => withTools.Source.Contains("tools", StringComparison.Ordinal) && withTools.Source.Contains(ToolSet.Begin, StringComparison.Ordinal);

    /// <inheritdoc/>
    public IReadOnlyList<string> Stop { get; }

    /// <summary>The template of a model.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or has something that is not supported.</exception>
    public static JinjaTemplate Of(MambaModel model)
    {
        if (model.ChatTemplate is not { } own)
        {
            // A model that was not trained to end a message goes on with what others say.
            return new(ChatTemplate.Plain, ChatTemplate.Plain, ["\nuser:", "\nsystem:", "\ntool:"]);
        }

        return new(own, model.ChatTemplates.GetValueOrDefault(ToolUse) is { } source ? ChatTemplate.Parse(source) : own, []);
    }

    /// <inheritdoc/>
    public string Render(JsonObject variables) => (variables.ContainsKey("tools") ? withTools : template).Render(variables);
}
