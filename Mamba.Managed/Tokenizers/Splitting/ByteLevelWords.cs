using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>GPT-2's words, written in its byte alphabet.</summary>
internal sealed class ByteLevelWords(bool splits) : IPreTokenizer
{
    /// <inheritdoc/>
    public List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, bool isStart)
    {
        List<ReadOnlyMemory<char>> words = [];
        foreach (ReadOnlyMemory<char> piece in pieces)
        {
            ReadOnlySpan<char> text = piece.Span;
            char[] letters = new char[Encoding.UTF8.GetByteCount(text)];
            byte[] bytes = new byte[letters.Length];
            int done = 0;
            for (int at = 0; at < text.Length;)
            {
                int length = splits ? WordSplitter.FirstWord(text[at..]) : text.Length;
                int count = Encoding.UTF8.GetBytes(text.Slice(at, length), bytes);
                for (int i = 0; i < count; i++)
                {
                    letters[done + i] = ByteAlphabet.CharacterOf(bytes[i]);
                }

                words.Add(letters.AsMemory(done, count));
                done += count;
                at += length;
            }
        }

        return words;
    }
}
