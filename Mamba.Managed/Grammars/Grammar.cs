using System.Text.Json;
using Mamba.Managed.Grammars.Schemas;

namespace Mamba.Managed.Grammars;

/// <summary>A context-free grammar over UTF-8 bytes: which texts a model may write.</summary>
/// <remarks>
/// A grammar never changes after it was made; any number of threads may use it at once. Making one takes longer than a step, so keep it where
/// requests share it: what is found out about its tokens is kept with the <see cref="GrammarVocabulary"/> as long as the grammar lives.
/// </remarks>
public sealed class Grammar
{
    private static readonly Lazy<Grammar> AnyJson = new(JsonGrammar.Create);

    internal Grammar(GrammarRules rules, int root) => Automaton = GrammarCompiler.Compile(rules, root);

    /// <summary>Any value in JSON, nested to a bounded depth, with little white space and numbers of bounded length.</summary>
    public static Grammar Json => AnyJson.Value;

    internal GrammarAutomaton Automaton { get; }

    /// <summary>Reads a grammar in GBNF, the notation of llama.cpp; the whole text is the rule <c>root</c>.</summary>
    /// <param name="gbnf">Rules such as <c>root ::= "yes" | "no"</c>.</param>
    /// <exception cref="InvalidDataException">The notation is wrong, a rule is missing or left-recursive, or the grammar is too large; the message names the line.</exception>
    public static Grammar Parse(string gbnf)
    {
        ArgumentNullException.ThrowIfNull(gbnf);
        return GbnfReader.Read(gbnf, new Dictionary<string, JsonElement>());
    }

    /// <summary>Reads a grammar in GBNF that names rules which JSON schemas define: their texts in JSON, as of <see cref="OfJsonSchema"/>.</summary>
    /// <param name="gbnf">Rules such as <c>root ::= "answer: " reply</c>.</param>
    /// <param name="schemas">The schemas by the names of their rules; each an object, true or false.</param>
    /// <exception cref="InvalidDataException">See <see cref="Parse(string)"/> and <see cref="OfJsonSchema"/>.</exception>
    public static Grammar Parse(string gbnf, IReadOnlyDictionary<string, JsonElement> schemas)
    {
        ArgumentNullException.ThrowIfNull(gbnf);
        ArgumentNullException.ThrowIfNull(schemas);
        return GbnfReader.Read(gbnf, schemas);
    }

    /// <summary>The texts in JSON that a JSON schema describes, with the properties of an object in the schema's order.</summary>
    /// <param name="schema">An object, true or false.</param>
    /// <exception cref="InvalidDataException">A keyword is not supported, which the message names with its place, or the schema is malformed, too large or fits nothing.</exception>
    public static Grammar OfJsonSchema(JsonElement schema) => JsonSchemaReader.Read(schema);
}
