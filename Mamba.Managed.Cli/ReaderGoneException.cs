namespace Mamba.Managed.Cli;

/// <summary>Nobody reads standard output any more, as after <c>mamba generate | head</c>: the command ends without a message.</summary>
internal sealed class ReaderGoneException : Exception
{
    public ReaderGoneException()
    {
    }

    public ReaderGoneException(string message)
        : base(message)
    {
    }

    public ReaderGoneException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
