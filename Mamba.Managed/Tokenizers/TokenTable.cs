using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Tokenizers;

/// <summary>Makes the tables of a tokenizer from its parts, and checks that they agree.</summary>
internal static class TokenTable
{
    // Ids may have gaps, but a table indexed by id must not become much larger than the vocabulary.
    private const int MostGaps = 1 << 16;

    /// <summary>Each token of the vocabulary with its id.</summary>
    public static Dictionary<string, int> Ids(TokenizerParts parts)
    {
        Dictionary<string, int> ids = new(parts.Vocabulary.Count, StringComparer.Ordinal);
        foreach ((string token, int id) in parts.Vocabulary)
        {
            Throw.Unless(token is { Length: > 0 }, $"expected tokens of at least one character, found an empty one with id {id}");
            Throw.Unless(ids.TryAdd(token, id), $"expected each token once, found '{token}' twice");
        }

        return ids;
    }

    /// <summary>The merges, by ids.</summary>
    public static MergeTable Merges(TokenizerParts parts, Dictionary<string, int> ids)
    {
        MergeTable table = new(parts.Merges.Count);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        int prefix = parts.Options.InnerPrefix.Length;
        char[] joined = new char[64];
        foreach ((string left, string right) in parts.Merges)
        {
            Throw.Unless(left is not null && right is not null, $"expected merges of two tokens, found nothing in place of one");
            int second = -1;
            Throw.Unless(ids.TryGetValue(left, out int first) && ids.TryGetValue(right, out second), $"expected merges of tokens in the vocabulary, found '{left} {right}'");
            ReadOnlySpan<char> rest = right.AsSpan(Math.Min(prefix, right.Length));
            if (joined.Length < left.Length + rest.Length)
            {
                joined = new char[2 * (left.Length + rest.Length)];
            }

            left.CopyTo(joined);
            rest.CopyTo(joined.AsSpan(left.Length));
            Throw.Unless(lookup.TryGetValue(joined.AsSpan(0, left.Length + rest.Length), out int merged), $"expected merges that make a token of the vocabulary, found '{left} {right}'");
            Throw.Unless(table.TryAdd(first, second, new(parts.Ranks is { } ranks ? ranks[table.Count] : table.Count, merged)), $"expected each merge once, found '{left} {right}' twice");
        }

        return table;
    }

    /// <summary>The bytes of each token.</summary>
    public static TokenBytes Bytes(TokenizerParts parts, Dictionary<string, int> ids, TokenDecoder decoder)
    {
        byte[]?[] within = new byte[Size(parts, ids)][];
        byte[]?[] first = decoder.HasFirst ? new byte[within.Length][] : within;
        HashSet<string> contents = new(StringComparer.Ordinal);
        foreach (AddedToken token in parts.Added)
        {
            Throw.Unless(token.Content is { Length: > 0 }, $"expected added tokens of at least one character, found an empty one with id {token.Id}");
            Throw.Unless(contents.Add(token.Content), $"expected each added token once, found '{token.Content}' twice");
        }

        contents = OwnTexts(parts, ids, decoder, contents);
        foreach ((string token, int id) in ids)
        {
            Throw.Unless(within[id] is null, $"expected each id once, found {id} twice");
            Set(token, id);
        }

        foreach (AddedToken token in parts.Added)
        {
            bool known = ids.TryGetValue(token.Content, out int id);
            Throw.Unless(known ? id == token.Id : within[token.Id] is null, $"expected an id of its own for the added token '{token.Content}', found {token.Id}, which another token has or which differs from the vocabulary's");
            Set(token.Content, token.Id);
        }

        return new(within, first, decoder.Stripped, decoder.MostStripped);

        void Set(string token, int id)
        {
            bool isOwn = contents.Contains(token);
            within[id] ??= isOwn ? System.Text.Encoding.UTF8.GetBytes(token) : decoder.BytesOf(token, isFirst: false);
            first[id] ??= isOwn ? within[id] : decoder.BytesOf(token, isFirst: true);
        }
    }

    // In a byte-level vocabulary a token of letters such as "é" stands for bytes, an added token for its own text. A token that is both stands for
    // bytes if bytes can become it: a single letter, what a merge makes, and any token where whole words are looked up.
    private static HashSet<string> OwnTexts(TokenizerParts parts, Dictionary<string, int> ids, TokenDecoder decoder, HashSet<string> contents)
    {
        if (!decoder.IsByteLevel)
        {
            return [];
        }

        if (parts.Options.TakesWholeWords)
        {
            contents.ExceptWith(ids.Keys);
            return contents;
        }

        contents.RemoveWhere(token => token.Length == 1 && ids.ContainsKey(token));
        foreach ((string left, string right) in contents.Overlaps(ids.Keys) ? parts.Merges : [])
        {
            contents.Remove(left + right);
        }

        return contents;
    }

    private static int Size(TokenizerParts parts, Dictionary<string, int> ids)
    {
        Throw.Unless(!parts.Added.Contains(null!), $"expected added tokens, found null among them");
        long most = (long)ids.Count + parts.Added.Count + MostGaps;
        int last = -1;
        foreach (int id in ids.Values.Concat(parts.Added.Select(token => token.Id)))
        {
            Throw.Unless(id >= 0 && id < most, $"expected ids from 0 to {most - 1} for {ids.Count} tokens and {parts.Added.Count} added ones, found {id}");
            last = Math.Max(last, id);
        }

        Throw.Unless(last >= 0, $"expected a vocabulary, found no tokens");
        return last + 1;
    }
}
