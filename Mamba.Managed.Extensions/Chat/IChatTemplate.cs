using System.Text.Json.Nodes;

namespace Mamba.Managed.Extensions;

/// <summary>Makes a text of a conversation, as a model expects it. It may be used by any number of threads at once.</summary>
public interface IChatTemplate
{
    /// <summary>Whether the template writes tokens such as the one at the beginning of a text itself; if not, the tokenizer adds them.</summary>
    bool WritesSpecialTokens => true;

    /// <summary>Whether it describes tools from its variable <c>tools</c> and asks for calls between <c>&lt;tool_call&gt;</c> and <c>&lt;/tool_call&gt;</c>.</summary>
    bool DescribesTools => false;

    /// <summary>Texts at which a model that goes on with the next speaker's words is stopped.</summary>
    IReadOnlyList<string> Stop => [];

    /// <summary>The text of a conversation.</summary>
    /// <param name="variables">
    /// Those of Hugging Face's templates: <c>messages</c>, each with <c>role</c> and <c>content</c>; <c>tools</c>, <c>add_generation_prompt</c>,
    /// <c>bos_token</c>, <c>eos_token</c>, and what a request adds.
    /// </param>
    string Render(JsonObject variables);
}
