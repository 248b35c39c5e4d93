namespace Mamba.Managed.ILGPU.Devices;

/// <summary>A device that is not there, is too old, has too little memory or has failed. The message is one line: what was expected, what was found, what to do.</summary>
public sealed class GpuException : Exception
{
    /// <summary>A failure without further words.</summary>
    public GpuException()
    {
    }

    /// <summary>A failure in one line.</summary>
    public GpuException(string message)
        : base(message)
    {
    }

    /// <summary>A failure in one line, and what it came from.</summary>
    public GpuException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
